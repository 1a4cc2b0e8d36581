"""The costs that infra/README.md states are those that follow from counts and prices."""

import pathlib
import re
import unittest

import costs

ROOT = pathlib.Path(__file__).parents[2]


class Costs(unittest.TestCase):
    def test_the_table_is_what_the_counts_and_prices_come_to(self):
        self.assertIn(costs.table(), (ROOT / "infra" / "README.md").read_text())

    def test_batched_a_million_delivered_events_stay_under_a_dollar_and_a_half(self):
        self.assertLess(sum(costs.cost(100, 10).values()), 1.50)

    def test_memory_is_what_the_template_gives(self):
        template = (ROOT / "infra" / "template.yaml").read_text()
        for function, gigabytes in (("Ingest", costs.INGEST_MEMORY), ("Dispatch", costs.DISPATCH_MEMORY)):
            memory = re.search(rf"  {function}Function:.*?MemorySize: (\d+)", template, re.DOTALL).group(1)
            self.assertEqual(int(memory), gigabytes * 1024)


if __name__ == "__main__":
    unittest.main()
