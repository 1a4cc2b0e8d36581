use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Case, Report, TestClock, eventually, later};
use crate::{
    Key, MAX_DELAY, MAX_DOC_BYTES, MAX_GETS, MAX_MESSAGE_BYTES, MAX_OPS, MAX_UNITS, Message, Op,
    Position, Put, Query, QueueName, Source, StoreError, Table, Unit, When,
};

macro_rules! cases {
    ($report:ident, $base:ident, $($name:ident),* $(,)?) => {$(
        let case = Case { pk: format!("{}/{}", $base.pk, stringify!($name)), ..$base.clone() };
        $report.run(stringify!($name), Box::pin($name(case))).await;
    )*};
}

/// Runs every case against `table`, in partitions that start with `prefix`, which nobody else uses.
/// `clock` is the one the adapter tells the time by.
///
/// # Panics
///
/// With the names of the cases that failed.
pub async fn table(table: Arc<dyn Table>, clock: &TestClock, prefix: &str) {
    let report = Report::default();
    let base = Case {
        table,
        clock: clock.clone(),
        pk: prefix.to_owned(),
    };
    cases!(
        report,
        base,
        a_row_comes_back_as_it_was_put,
        versions_count_up_and_start_anew,
        conditions_on_an_absent_row,
        conditions_on_a_present_row,
        conditions_on_an_expired_row,
        a_delete_judges_its_condition,
        a_check_writes_nothing,
        a_unit_is_all_or_nothing,
        a_unit_names_the_first_condition_that_failed,
        units_stand_alone,
        later_units_may_build_on_earlier_ones,
        an_empty_write_and_an_empty_unit_are_fine,
        get_many_keeps_order_and_gaps,
        expired_rows_are_never_returned,
        an_expiry_can_be_moved_and_taken_away,
        sort_keys_compare_as_bytes,
        ranges_are_half_open,
        partitions_are_apart,
        pages_of_every_size_are_the_same_rows,
        index_pages_of_every_size_are_the_same_rows,
        an_index_lists_and_unlists,
        an_index_has_ranges_and_ties,
        a_page_resumes_where_its_row_was_deleted,
        limits_are_refused,
        large_things_are_refused,
        impossible_reads_are_refused,
        limits_are_allowed,
        a_sound_unit_beside_a_refused_one,
        counters_count,
        counters_have_a_bound,
        counters_expire,
        a_counter_stays_in_its_bound_under_concurrency,
        one_of_many_concurrent_writers_wins,
    );
    report.finish("table");
}

fn put(key: Key, doc: &str, when: When) -> Unit {
    Unit {
        ops: vec![Op::Put(Put::new(key, doc, when))],
        sends: Vec::new(),
    }
}

fn ops(ops: Vec<Op>) -> Unit {
    Unit {
        ops,
        sends: Vec::new(),
    }
}

const REFUSED: Result<(), StoreError> = Err(StoreError::Condition { op: 0 });

impl Case {
    async fn doc(&self, key: &Key) -> Option<(u64, String)> {
        self.table
            .get(key)
            .await
            .expect("a read")
            .map(|row| (row.version, row.doc))
    }

    async fn put(&self, key: &Key, doc: &str, when: When) -> Result<(), StoreError> {
        self.table.commit(put(key.clone(), doc, when)).await
    }

    /// A row that has been and is gone.
    async fn expire(&self, key: &Key) {
        let mut put = Put::new(key.clone(), "\"old\"", When::Always);
        put.expires_at = Some(later(&self.clock, 10));
        put.index = [Some(Key::new(self.other("gone"), key.sk.clone())), None];
        self.table
            .commit(ops(vec![Op::Put(put)]))
            .await
            .expect("written");
        self.clock.advance(Duration::from_secs(10));
    }

    async fn pages(&self, mut query: Query) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let page = self.table.query(query.clone()).await.expect("a page");
            assert!(page.rows.len() <= query.limit, "a page is within its limit");
            seen.extend(page.rows.into_iter().map(|row| row.key.sk));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return seen,
            }
        }
    }
}

async fn a_row_comes_back_as_it_was_put(case: Case) {
    let key = case.key("ключ/🔑 \u{0} '\"%_");
    let mut put = Put::new(
        key.clone(),
        "{\"name\":\"Zoë\\u0000 🎧\",\"n\":1}",
        When::Absent,
    );
    put.index = [
        Some(Key::new(case.other("i"), "1")),
        Some(Key::new(case.other("j"), "2")),
    ];
    put.expires_at = Some(later(&case.clock, 3600));
    case.table
        .commit(ops(vec![Op::Put(put.clone())]))
        .await
        .expect("written");
    let row = case
        .table
        .get(&key)
        .await
        .expect("a read")
        .expect("the row");
    assert_eq!((row.key, row.version, row.doc), (key, 1, put.doc));
    assert_eq!((row.index, row.expires_at), (put.index, put.expires_at));
    assert_eq!(case.table.get(&case.key("another")).await, Ok(None));
}

async fn versions_count_up_and_start_anew(case: Case) {
    let key = case.key("a");
    for (n, when) in [When::Absent, When::Always, When::Present, When::Version(3)]
        .into_iter()
        .enumerate()
    {
        case.put(&key, &format!("{n}"), when)
            .await
            .expect("written");
        assert_eq!(case.doc(&key).await, Some((n as u64 + 1, format!("{n}"))));
    }
    case.table
        .commit(ops(vec![Op::Delete(key.clone(), When::Version(4))]))
        .await
        .expect("deleted");
    case.put(&key, "5", When::Always).await.expect("written");
    assert_eq!(case.doc(&key).await, Some((1, "5".to_owned())));
}

async fn conditions_on_an_absent_row(case: Case) {
    for (sk, when, holds) in [
        ("always", When::Always, true),
        ("absent", When::Absent, true),
        ("present", When::Present, false),
        ("version", When::Version(1), false),
        ("version0", When::Version(0), false),
    ] {
        let key = case.key(sk);
        assert_eq!(case.put(&key, "1", when).await.is_ok(), holds, "{sk}");
        assert_eq!(
            case.doc(&key).await,
            holds.then(|| (1, "1".to_owned())),
            "{sk}"
        );
    }
}

async fn conditions_on_a_present_row(case: Case) {
    for (sk, when, holds) in [
        ("always", When::Always, true),
        ("absent", When::Absent, false),
        ("present", When::Present, true),
        ("version", When::Version(1), true),
        ("newer", When::Version(2), false),
        ("older", When::Version(0), false),
    ] {
        let key = case.key(sk);
        case.put(&key, "1", When::Absent).await.expect("written");
        let result = case.put(&key, "2", when).await;
        assert_eq!(result, if holds { Ok(()) } else { REFUSED }, "{sk}");
        let kept = if holds {
            (2, "2".to_owned())
        } else {
            (1, "1".to_owned())
        };
        assert_eq!(case.doc(&key).await, Some(kept), "{sk}");
    }
}

async fn conditions_on_an_expired_row(case: Case) {
    for (sk, when, holds) in [
        ("always", When::Always, true),
        ("absent", When::Absent, true),
        ("present", When::Present, false),
        ("version", When::Version(1), false),
    ] {
        // Alone and in company: adapters write the two differently.
        for company in [false, true] {
            let key = case.key(&format!("{sk}/{company}"));
            case.expire(&key).await;
            let mut unit = put(key.clone(), "1", when);
            if company {
                unit.ops.push(Op::Put(Put::new(
                    case.key(&format!("{sk}/beside")),
                    "1",
                    When::Always,
                )));
            }
            let result = case.table.commit(unit).await;
            assert_eq!(result, if holds { Ok(()) } else { REFUSED }, "{sk}");
            assert_eq!(
                case.doc(&key).await,
                holds.then(|| (1, "1".to_owned())),
                "{sk}"
            );
            let row = case.table.get(&key).await.expect("a read");
            assert!(
                row.is_none_or(|row| row.expires_at.is_none() && row.index == [None, None]),
                "{sk}"
            );
        }
    }
}

async fn a_delete_judges_its_condition(case: Case) {
    let delete = |key: &Key, when| ops(vec![Op::Delete(key.clone(), when)]);
    let key = case.key("a");
    assert_eq!(case.table.commit(delete(&key, When::Always)).await, Ok(()));
    assert_eq!(case.table.commit(delete(&key, When::Absent)).await, Ok(()));
    assert_eq!(
        case.table.commit(delete(&key, When::Present)).await,
        REFUSED
    );
    case.put(&key, "1", When::Always).await.expect("written");
    assert_eq!(
        case.table.commit(delete(&key, When::Version(2))).await,
        REFUSED
    );
    assert_eq!(case.table.commit(delete(&key, When::Absent)).await, REFUSED);
    assert!(case.doc(&key).await.is_some());
    assert_eq!(case.table.commit(delete(&key, When::Present)).await, Ok(()));
    assert_eq!(case.doc(&key).await, None);
    case.expire(&key).await;
    assert_eq!(
        case.table.commit(delete(&key, When::Present)).await,
        REFUSED
    );
}

async fn a_check_writes_nothing(case: Case) {
    let (row, gone) = (case.key("a"), case.key("b"));
    case.put(&row, "1", When::Always).await.expect("written");
    let check = |key: &Key, when| ops(vec![Op::Check(key.clone(), when)]);
    for (key, when, result) in [
        (&row, When::Present, Ok(())),
        (&row, When::Version(1), Ok(())),
        (&row, When::Always, Ok(())),
        (&row, When::Absent, REFUSED),
        (&row, When::Version(2), REFUSED),
        (&gone, When::Absent, Ok(())),
        (&gone, When::Always, Ok(())),
        (&gone, When::Present, REFUSED),
    ] {
        assert_eq!(
            case.table.commit(check(key, when)).await,
            result,
            "{when:?}"
        );
    }
    assert_eq!(case.doc(&row).await, Some((1, "1".to_owned())));
    assert_eq!(case.doc(&gone).await, None);
}

async fn a_unit_is_all_or_nothing(case: Case) {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|sk| case.key(sk));
    case.put(&c, "\"old\"", When::Always)
        .await
        .expect("written");
    let unit = |last: When| {
        ops(vec![
            Op::Put(Put::new(a.clone(), "1", When::Absent)),
            Op::Put(Put::new(b.clone(), "2", When::Always)),
            Op::Delete(c.clone(), When::Present),
            Op::Check(d.clone(), last),
        ])
    };
    let refused = case.table.commit(unit(When::Present)).await;
    assert_eq!(refused, Err(StoreError::Condition { op: 3 }));
    assert_eq!((case.doc(&a).await, case.doc(&b).await), (None, None));
    assert_eq!(case.doc(&c).await, Some((1, "\"old\"".to_owned())));
    assert_eq!(case.table.commit(unit(When::Absent)).await, Ok(()));
    assert_eq!(case.doc(&a).await, Some((1, "1".to_owned())));
    assert_eq!(case.doc(&b).await, Some((1, "2".to_owned())));
    assert_eq!((case.doc(&c).await, case.doc(&d).await), (None, None));
}

async fn a_unit_names_the_first_condition_that_failed(case: Case) {
    let unit = ops(vec![
        Op::Put(Put::new(case.key("a"), "1", When::Always)),
        Op::Delete(case.key("b"), When::Present),
        Op::Check(case.key("c"), When::Present),
    ]);
    assert_eq!(
        case.table.commit(unit).await,
        Err(StoreError::Condition { op: 1 })
    );
}

async fn units_stand_alone(case: Case) {
    case.put(&case.key("2"), "\"first\"", When::Absent)
        .await
        .expect("written");
    let units = (0..5)
        .map(|n| put(case.key(&n.to_string()), "1", When::Absent))
        .collect();
    assert_eq!(
        case.table.write(units).await,
        [Ok(()), Ok(()), REFUSED, Ok(()), Ok(())]
    );
    assert_eq!(
        case.doc(&case.key("2")).await,
        Some((1, "\"first\"".to_owned()))
    );
    assert_eq!(
        case.sort_keys(Query::partition(&case.pk)).await,
        ["0", "1", "2", "3", "4"]
    );
}

async fn later_units_may_build_on_earlier_ones(case: Case) {
    let key = case.key("a");
    case.put(&key, "1", When::Absent).await.expect("written");
    assert_eq!(case.put(&key, "2", When::Version(1)).await, Ok(()));
    assert_eq!(case.put(&key, "3", When::Version(1)).await, REFUSED);
    assert_eq!(case.doc(&key).await, Some((2, "2".to_owned())));
}

async fn an_empty_write_and_an_empty_unit_are_fine(case: Case) {
    assert_eq!(case.table.write(Vec::new()).await, []);
    assert_eq!(case.table.commit(Unit::default()).await, Ok(()));
    assert_eq!(case.table.get_many(&[]).await, Ok(Vec::new()));
}

async fn get_many_keeps_order_and_gaps(case: Case) {
    let units = (0..50)
        .map(|n| put(case.key(&n.to_string()), &n.to_string(), When::Always))
        .collect();
    assert!(case.table.write(units).await.iter().all(Result::is_ok));
    case.expire(&case.key("gone")).await;
    let mut wanted: Vec<String> = (0..100).rev().map(|n| n.to_string()).collect();
    "gone".clone_into(&mut wanted[7]);
    let keys: Vec<Key> = wanted.iter().map(|sk| case.key(sk)).collect();
    let rows = case.table.get_many(&keys).await.expect("a read");
    let docs: Vec<Option<String>> = rows.into_iter().map(|row| row.map(|row| row.doc)).collect();
    let expected: Vec<Option<String>> = wanted
        .into_iter()
        .map(|sk| sk.parse().is_ok_and(|n: u32| n < 50).then_some(sk))
        .collect();
    assert_eq!(docs, expected);
    let many = vec![case.key("0"); MAX_GETS + 1];
    assert!(matches!(
        case.table.get_many(&many).await,
        Err(StoreError::Invalid(_))
    ));
}

async fn expired_rows_are_never_returned(case: Case) {
    let key = case.key("a");
    let mut row = Put::new(key.clone(), "1", When::Always);
    row.index[0] = Some(Key::new(case.other("i"), "a"));
    row.expires_at = Some(later(&case.clock, 10));
    case.table
        .commit(ops(vec![Op::Put(row)]))
        .await
        .expect("written");
    let listed = eventually(
        || case.sort_keys(Query::index(0, case.other("i"))),
        |listed| listed.len() == 1,
    );
    assert_eq!(listed.await, ["a"]);
    case.clock.advance(Duration::from_millis(9_999));
    assert!(
        case.doc(&key).await.is_some(),
        "it is there until its last millisecond"
    );
    case.clock.advance(Duration::from_millis(1));
    assert_eq!(case.doc(&key).await, None);
    assert_eq!(
        case.table.get_many(std::slice::from_ref(&key)).await,
        Ok(vec![None])
    );
    assert!(case.sort_keys(Query::partition(&case.pk)).await.is_empty());
    assert!(
        case.sort_keys(Query::index(0, case.other("i")))
            .await
            .is_empty()
    );
}

async fn an_expiry_can_be_moved_and_taken_away(case: Case) {
    let (moved, kept) = (case.key("moved"), case.key("kept"));
    for key in [&moved, &kept] {
        let mut row = Put::new(key.clone(), "1", When::Always);
        row.expires_at = Some(later(&case.clock, 10));
        case.table
            .commit(ops(vec![Op::Put(row.clone())]))
            .await
            .expect("written");
        row.expires_at = (key == &moved).then(|| later(&case.clock, 100));
        case.table
            .commit(ops(vec![Op::Put(row)]))
            .await
            .expect("written");
    }
    case.clock.advance(Duration::from_secs(11));
    assert!(case.doc(&moved).await.is_some() && case.doc(&kept).await.is_some());
    case.clock.advance(Duration::from_secs(100));
    assert!(case.doc(&moved).await.is_none() && case.doc(&kept).await.is_some());
}

/// In order of their bytes, which neither UTF-16 nor a dictionary has.
const SORTED: [&str; 12] = [
    "!", "0", "00", "1", "10", "2", "A", "Z", "a", "é", "\u{ffee}", "😀",
];

async fn sort_keys_compare_as_bytes(case: Case) {
    let units = SORTED
        .iter()
        .rev()
        .map(|sk| put(case.key(sk), "1", When::Always))
        .collect();
    assert!(case.table.write(units).await.iter().all(Result::is_ok));
    assert_eq!(case.sort_keys(Query::partition(&case.pk)).await, SORTED);
    let mut down = case
        .sort_keys(Query {
            descending: true,
            ..Query::partition(&case.pk)
        })
        .await;
    down.reverse();
    assert_eq!(down, SORTED);
    assert_eq!(
        case.doc(&case.key("E")).await,
        None,
        "no other case, no other form"
    );
}

async fn ranges_are_half_open(case: Case) {
    let units = SORTED
        .iter()
        .map(|sk| put(case.key(sk), "1", When::Always))
        .collect();
    assert!(case.table.write(units).await.iter().all(Result::is_ok));
    let ends = [
        None,
        Some("0"),
        Some("0\u{0}"),
        Some("1"),
        Some("B"),
        Some("Z"),
        Some("😀"),
        Some("😀😀"),
    ];
    for from in ends {
        for to in ends {
            for descending in [false, true] {
                let query = Query {
                    from: from.map(str::to_owned),
                    to: to.map(str::to_owned),
                    descending,
                    ..Query::partition(&case.pk)
                };
                let mut expected: Vec<&str> = SORTED
                    .into_iter()
                    .filter(|sk| {
                        from.is_none_or(|from| *sk >= from) && to.is_none_or(|to| *sk < to)
                    })
                    .collect();
                if descending {
                    expected.reverse();
                }
                assert_eq!(
                    case.sort_keys(query).await,
                    expected,
                    "{from:?} {to:?} {descending}"
                );
            }
        }
    }
}

async fn partitions_are_apart(case: Case) {
    for pk in [
        case.other("a"),
        case.other("a/b"),
        case.other("A"),
        case.other("b"),
    ] {
        case.table
            .commit(put(Key::new(pk, "1"), "1", When::Absent))
            .await
            .expect("written");
    }
    let page = case
        .table
        .query(Query::partition(case.other("a")))
        .await
        .expect("a page");
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.next, None);
}

async fn pages_of_every_size_are_the_same_rows(case: Case) {
    let all: Vec<String> = (0..23).map(|n| format!("{n:02}")).collect();
    let units = all
        .iter()
        .map(|sk| put(case.key(sk), "1", When::Always))
        .collect();
    assert!(case.table.write(units).await.iter().all(Result::is_ok));
    // Gone ones in between are no reason for an early end.
    for sk in ["000", "05x", "05y", "05z", "99"] {
        case.expire(&case.key(sk)).await;
    }
    for limit in (1..=25).chain([1000]) {
        for descending in [false, true] {
            let range = Query {
                from: Some("02".to_owned()),
                to: Some("21".to_owned()),
                limit,
                descending,
                ..Query::partition(&case.pk)
            };
            let mut seen = case.pages(range).await;
            let mut whole = case
                .pages(Query {
                    descending,
                    limit,
                    ..Query::partition(&case.pk)
                })
                .await;
            if descending {
                seen.reverse();
                whole.reverse();
            }
            assert_eq!(seen, all[2..21], "limit {limit} descending {descending}");
            assert_eq!(whole, all, "limit {limit} descending {descending}");
        }
    }
}

async fn index_pages_of_every_size_are_the_same_rows(case: Case) {
    let mut units = Vec::new();
    for n in 0..20 {
        let mut row = Put::new(case.key(&format!("{n:02}")), "1", When::Always);
        // Four rows to a key: pages end in the middle of ties.
        row.index[1] = Some(Key::new(case.other("i"), format!("{}", n / 4)));
        units.push(ops(vec![Op::Put(row)]));
    }
    assert!(case.table.write(units).await.iter().all(Result::is_ok));
    let all: Vec<String> = (0..20).map(|n| format!("{n:02}")).collect();
    let query = Query::index(1, case.other("i"));
    eventually(|| case.sort_keys(query.clone()), |seen| seen.len() == 20).await;
    for limit in 1..=21 {
        for descending in [false, true] {
            let query = Query {
                descending,
                limit,
                ..query.clone()
            };
            let range = Query {
                from: Some("1".to_owned()),
                to: Some("4".to_owned()),
                ..query.clone()
            };
            let (mut seen, mut part) = (case.pages(query).await, case.pages(range).await);
            if descending {
                seen.reverse();
                part.reverse();
            }
            assert_eq!(seen, all, "limit {limit} descending {descending}");
            assert_eq!(part, all[4..16], "limit {limit} descending {descending}");
        }
    }
}

async fn an_index_lists_and_unlists(case: Case) {
    let key = case.key("a");
    let (i, j, k) = (case.other("i"), case.other("j"), case.other("k"));
    let at = |pk: &String| Some(Key::new(pk.clone(), "1"));
    // What the row says, and where it must be listed: in (index 0 under i, 0 under k, 1 under j).
    let steps: [([Option<Key>; 2], [bool; 3]); 6] = [
        ([at(&i), at(&j)], [true, false, true]),
        ([at(&i), at(&j)], [true, false, true]),
        ([at(&k), at(&j)], [false, true, true]),
        ([None, at(&j)], [false, false, true]),
        ([at(&i), None], [true, false, false]),
        ([None, None], [false, false, false]),
    ];
    for (n, (index, listed)) in steps.into_iter().enumerate() {
        let mut row = Put::new(key.clone(), format!("{n}"), When::Always);
        row.index = index;
        case.table
            .commit(ops(vec![Op::Put(row)]))
            .await
            .expect("written");
        for (source, pk, listed) in [(0, &i, listed[0]), (0, &k, listed[1]), (1, &j, listed[2])] {
            let expected: Vec<String> = if listed {
                vec![format!("{n}")]
            } else {
                Vec::new()
            };
            let look = || async {
                let page = case
                    .table
                    .query(Query::index(source, pk.clone()))
                    .await
                    .expect("a page");
                page.rows.into_iter().map(|row| row.doc).collect::<Vec<_>>()
            };
            assert_eq!(
                eventually(look, |seen| *seen == expected).await,
                expected,
                "step {n} {source} {pk}"
            );
        }
    }
    let mut row = Put::new(key.clone(), "1", When::Always);
    row.index[0] = at(&i);
    case.table
        .commit(ops(vec![Op::Put(row)]))
        .await
        .expect("written");
    case.table
        .commit(ops(vec![Op::Delete(key, When::Always)]))
        .await
        .expect("deleted");
    let look = || case.sort_keys(Query::index(0, i.clone()));
    assert!(eventually(look, Vec::is_empty).await.is_empty());
}

async fn an_index_has_ranges_and_ties(case: Case) {
    let (first, second) = (case.other("1"), case.other("2"));
    for (pk, sk, at) in [
        (&second, "a", "5"),
        (&first, "b", "5"),
        (&first, "a", "5"),
        (&first, "c", "4"),
        (&second, "d", "6"),
    ] {
        let mut row = Put::new(Key::new(pk.clone(), sk), "1", When::Always);
        row.index[0] = Some(Key::new(case.other("i"), at));
        case.table
            .commit(ops(vec![Op::Put(row)]))
            .await
            .expect("written");
    }
    let query = Query::index(0, case.other("i"));
    let look = || case.sort_keys(query.clone());
    assert_eq!(
        eventually(look, |seen| seen.len() == 5).await,
        ["c", "a", "b", "a", "d"]
    );
    let from = |from: &str, to: &str| Query {
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
        ..query.clone()
    };
    assert_eq!(case.sort_keys(from("5", "6")).await, ["a", "b", "a"]);
    assert_eq!(case.sort_keys(from("4", "5")).await, ["c"]);
    assert_eq!(
        case.sort_keys(Query {
            descending: true,
            ..from("5", "7")
        })
        .await,
        ["d", "a", "b", "a"]
    );
}

async fn a_page_resumes_where_its_row_was_deleted(case: Case) {
    let units = ["a", "b", "c", "d"]
        .map(|sk| put(case.key(sk), "1", When::Always))
        .into();
    assert!(case.table.write(units).await.iter().all(Result::is_ok));
    let query = Query {
        limit: 2,
        ..Query::partition(&case.pk)
    };
    let page = case.table.query(query.clone()).await.expect("a page");
    let next = page.next.expect("a position");
    assert_eq!(
        next,
        Position {
            key: case.key("b"),
            index: None
        }
    );
    case.table
        .commit(ops(vec![Op::Delete(case.key("b"), When::Always)]))
        .await
        .expect("deleted");
    assert_eq!(
        case.sort_keys(Query {
            after: Some(next),
            ..query
        })
        .await,
        ["c", "d"]
    );
}

fn message(body: &str, delay: Duration, group: &str) -> Message {
    Message {
        queue: QueueName("contract"),
        body: body.to_owned(),
        delay,
        group: group.to_owned(),
    }
}

async fn limits_are_refused(case: Case) {
    let long = "k".repeat(1025);
    let many = |n: usize| {
        ops((0..n)
            .map(|n| Op::Check(case.key(&n.to_string()), When::Always))
            .collect())
    };
    let index = |key: Key| {
        let mut put = Put::new(case.key("a"), "1", When::Always);
        put.index[1] = Some(key);
        ops(vec![Op::Put(put)])
    };
    let send = |message| Unit {
        ops: Vec::new(),
        sends: vec![message],
    };
    let seconds = Duration::from_secs;
    for (name, unit) in [
        ("no partition", put(Key::new("", "a"), "1", When::Always)),
        ("no sort key", put(case.key(""), "1", When::Always)),
        ("long sort key", put(case.key(&long), "1", When::Always)),
        (
            "long partition",
            put(Key::new(long.clone(), "a"), "1", When::Always),
        ),
        ("long index key", index(Key::new("a", long.clone()))),
        ("no index key", index(Key::new("a", ""))),
        ("too many operations", many(MAX_OPS + 1)),
        (
            "a key twice",
            ops(vec![Op::Check(case.key("a"), When::Always); 2]),
        ),
        ("a key twice among many", {
            let mut unit = many(50);
            unit.ops.push(Op::Delete(case.key("0"), When::Always));
            unit
        }),
        (
            "long delay",
            send(message("1", MAX_DELAY + Duration::from_millis(1), "g")),
        ),
        ("no group", send(message("1", seconds(0), ""))),
        ("long group", send(message("1", seconds(0), &long))),
    ] {
        let result = case.table.commit(unit).await;
        assert!(
            matches!(result, Err(StoreError::Invalid(_))),
            "{name}: {result:?}"
        );
    }
    let units = vec![Unit::default(); MAX_UNITS + 1];
    let results = case.table.write(units).await;
    assert_eq!(results.len(), MAX_UNITS + 1);
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Err(StoreError::Invalid(_))))
    );
    assert!(case.sort_keys(Query::partition(&case.pk)).await.is_empty());
}

async fn large_things_are_refused(case: Case) {
    let doc = "x".repeat(MAX_DOC_BYTES + 1);
    let large = case.put(&case.key("a"), &doc, When::Always).await;
    assert_eq!(
        large,
        Err(StoreError::TooLarge {
            limit: MAX_DOC_BYTES
        })
    );
    let body = "x".repeat(MAX_MESSAGE_BYTES + 1);
    let large = case
        .table
        .commit(Unit {
            ops: Vec::new(),
            sends: vec![message(&body, Duration::ZERO, "g")],
        })
        .await;
    assert_eq!(
        large,
        Err(StoreError::TooLarge {
            limit: MAX_MESSAGE_BYTES
        })
    );
}

async fn impossible_reads_are_refused(case: Case) {
    assert!(matches!(
        case.table.get(&case.key("")).await,
        Err(StoreError::Invalid(_))
    ));
    let foreign = Position {
        key: Key::new(case.other("x"), "1"),
        index: None,
    };
    let unindexed = Position {
        key: case.key("1"),
        index: None,
    };
    for query in [
        Query {
            limit: 0,
            ..Query::partition(&case.pk)
        },
        Query {
            limit: 1001,
            ..Query::partition(&case.pk)
        },
        Query {
            source: Source::Index(2),
            ..Query::partition(&case.pk)
        },
        Query::partition(""),
        Query {
            after: Some(foreign),
            ..Query::partition(&case.pk)
        },
        Query {
            after: Some(unindexed),
            ..Query::index(0, &case.pk)
        },
    ] {
        let result = case.table.query(query).await;
        assert!(matches!(result, Err(StoreError::Invalid(_))), "{result:?}");
    }
    assert!(case.sort_keys(Query::partition(&case.pk)).await.is_empty());
}

async fn limits_are_allowed(case: Case) {
    let longest = "é".repeat(512);
    let doc = "x".repeat(MAX_DOC_BYTES);
    let key = case.key(&longest);
    case.put(&key, &doc, When::Absent).await.expect("written");
    assert_eq!(case.doc(&key).await, Some((1, doc)));
    let many =
        (0..MAX_OPS).map(|n| Op::Put(Put::new(case.key(&format!("{n:03}")), "1", When::Absent)));
    assert_eq!(case.table.commit(ops(many.collect())).await, Ok(()));
    let units =
        (0..MAX_UNITS).map(|n| put(Key::new(case.other("u"), n.to_string()), "1", When::Always));
    let results = case.table.write(units.collect()).await;
    assert!(results.len() == MAX_UNITS && results.iter().all(Result::is_ok));
    let all = case
        .pages(Query {
            limit: 1000,
            ..Query::partition(case.other("u"))
        })
        .await;
    assert_eq!(all.len(), MAX_UNITS);
    // More than any page's bytes: nothing is lost between pages.
    let large = "y".repeat(300 * 1024);
    for n in 0..5 {
        let key = Key::new(case.other("large"), n.to_string());
        case.put(&key, &large, When::Always).await.expect("written");
    }
    assert_eq!(
        case.pages(Query::partition(case.other("large"))).await,
        ["0", "1", "2", "3", "4"]
    );
}

async fn a_sound_unit_beside_a_refused_one(case: Case) {
    let units = vec![
        put(case.key("a"), "1", When::Always),
        put(case.key(""), "1", When::Always),
        put(case.key("b"), "1", When::Present),
        put(case.key("c"), "1", When::Always),
    ];
    let results = case.table.write(units).await;
    assert!(matches!(
        results.as_slice(),
        [
            Ok(()),
            Err(StoreError::Invalid(_)),
            Err(StoreError::Condition { op: 0 }),
            Ok(())
        ]
    ));
    assert_eq!(case.sort_keys(Query::partition(&case.pk)).await, ["a", "c"]);
}

async fn counters_count(case: Case) {
    let key = case.key("a");
    for (delta, sum) in [(1, 1), (5, 6), (-2, 4), (0, 4), (-10, -6)] {
        assert_eq!(case.table.count(&key, delta, None, None).await, Ok(sum));
    }
    assert_eq!(
        case.table.count(&case.key("b"), 7, Some(7), None).await,
        Ok(7)
    );
    assert!(matches!(
        case.table.count(&case.key(""), 1, None, None).await,
        Err(StoreError::Invalid(_))
    ));
}

async fn counters_have_a_bound(case: Case) {
    let key = case.key("a");
    let over = Err(StoreError::Condition { op: 0 });
    assert_eq!(case.table.count(&key, 4, Some(3), None).await, over);
    assert_eq!(case.table.count(&key, 3, Some(3), None).await, Ok(3));
    assert_eq!(case.table.count(&key, 1, Some(3), None).await, over);
    assert_eq!(case.table.count(&key, -1, Some(3), None).await, Ok(2));
    assert_eq!(case.table.count(&key, 1, Some(3), None).await, Ok(3));
    assert_eq!(case.table.count(&key, 2, None, None).await, Ok(5));
}

async fn counters_expire(case: Case) {
    let key = case.key("a");
    let at = Some(later(&case.clock, 10));
    assert_eq!(case.table.count(&key, 1, Some(2), at).await, Ok(1));
    // The first one's time holds.
    case.clock.advance(Duration::from_secs(5));
    assert_eq!(
        case.table
            .count(&key, 1, Some(2), Some(later(&case.clock, 60)))
            .await,
        Ok(2)
    );
    case.clock.advance(Duration::from_secs(5));
    assert_eq!(
        case.table
            .count(&key, 1, Some(2), Some(later(&case.clock, 10)))
            .await,
        Ok(1)
    );
    case.clock.advance(Duration::from_secs(10));
    assert_eq!(case.table.count(&key, 2, Some(2), None).await, Ok(2));
    case.clock.advance(Duration::from_secs(1000));
    assert_eq!(
        case.table.count(&key, 1, None, None).await,
        Ok(3),
        "without a time it stays"
    );
}

async fn a_counter_stays_in_its_bound_under_concurrency(case: Case) {
    let mut callers = Vec::new();
    for _ in 0..30 {
        let (table, key) = (Arc::clone(&case.table), case.key("a"));
        callers.push(tokio::spawn(async move {
            // A store in conflict may ask to come again.
            loop {
                match table.count(&key, 1, Some(10), None).await {
                    Err(StoreError::Busy) => tokio::task::yield_now().await,
                    result => return result,
                }
            }
        }));
    }
    let mut seen = BTreeSet::new();
    let mut refused = 0;
    for caller in callers {
        match caller.await.expect("a caller") {
            Ok(value) => assert!(seen.insert(value), "{value} twice"),
            Err(error) => {
                assert_eq!(error, StoreError::Condition { op: 0 });
                refused += 1;
            }
        }
    }
    assert_eq!((seen, refused), ((1..=10).collect(), 20));
}

async fn one_of_many_concurrent_writers_wins(case: Case) {
    for when in [When::Absent, When::Version(1)] {
        let mut callers = Vec::new();
        for n in 0..20 {
            let (table, key) = (Arc::clone(&case.table), case.key("a"));
            callers.push(tokio::spawn(async move {
                loop {
                    match table.commit(put(key.clone(), &n.to_string(), when)).await {
                        Err(StoreError::Busy) => tokio::task::yield_now().await,
                        result => return (n, result),
                    }
                }
            }));
        }
        let mut winners = Vec::new();
        for caller in callers {
            match caller.await.expect("a caller") {
                (n, Ok(())) => winners.push(n.to_string()),
                (_, error) => assert_eq!(error, REFUSED),
            }
        }
        let (_, doc) = case.doc(&case.key("a")).await.expect("the row");
        assert_eq!(winners, [doc]);
    }
}
