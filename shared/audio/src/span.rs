/// The most spans of one redaction.
pub const MAX_SPANS: usize = 1_000;

/// A stretch of time, half open, from the start of the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Where it begins, ms.
    pub start_ms: u64,
    /// Before which it ends, ms.
    pub end_ms: u64,
}

/// Why spans are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// There is nothing to do.
    #[error("there must be at least one span")]
    None,
    /// Too many.
    #[error("there may be at most {MAX_SPANS} spans")]
    TooMany,
    /// One ends where it begins, or before.
    #[error("span {0} must end after it begins")]
    Empty(usize),
    /// One ends later than any recording does.
    #[error("span {0} ends past the longest recording, {MAX_MS} ms")]
    TooLate(usize),
}

/// No recording is longer: four weeks, ms. So nothing overflows below.
const MAX_MS: u64 = 28 * 24 * 3_600 * 1_000;

/// Spans in order of time, none of which touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// From spans in any order, which may overlap.
    ///
    /// # Errors
    /// None, too many, or one that is not a stretch of time.
    pub fn new(mut spans: Vec<Span>) -> Result<Self, SpanError> {
        if spans.is_empty() {
            return Err(SpanError::None);
        }
        if spans.len() > MAX_SPANS {
            return Err(SpanError::TooMany);
        }
        for (at, span) in spans.iter().enumerate() {
            if span.start_ms >= span.end_ms {
                return Err(SpanError::Empty(at));
            }
            if span.end_ms > MAX_MS {
                return Err(SpanError::TooLate(at));
            }
        }
        spans.sort();
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start_ms <= last.end_ms => {
                    last.end_ms = last.end_ms.max(span.end_ms);
                }
                _ => merged.push(span),
            }
        }
        Ok(Self(merged))
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    /// The same in samples at `rate` (Hz): every sample that is heard within a span, even in part.
    pub(crate) fn in_samples(&self, rate: u32) -> Samples {
        let rate = u64::from(rate);
        let ranges = self.0.iter().map(|span| Range {
            start: span.start_ms * rate / 1_000,
            end: (span.end_ms * rate).div_ceil(1_000),
        });
        Samples {
            ranges: ranges.collect(),
            next: 0,
        }
    }
}

/// Samples, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Ranges of samples in order, for whoever goes through a file from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    ranges: Vec<Range>,
    next: usize,
}

impl Samples {
    /// All samples of ranges in any order, which may overlap.
    pub(crate) fn union(mut ranges: Vec<Range>) -> Self {
        ranges.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self {
            ranges: merged,
            next: 0,
        }
    }

    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.ranges.iter().copied()
    }

    /// The first range that ends after sample `at`. `at` never goes back.
    pub(crate) fn ahead(&mut self, at: u64) -> Option<Range> {
        while let Some(range) = self.ranges.get(self.next) {
            if range.end > at {
                return Some(*range);
            }
            self.next += 1;
        }
        None
    }

    /// Whether one of them has a sample of `start..end`.
    pub(crate) fn touch(&self, start: u64, end: u64) -> bool {
        // In order of their starts and of their ends.
        let next = self.ranges.partition_point(|range| range.end <= start);
        self.ranges.get(next).is_some_and(|range| range.start < end)
    }

    /// Where the last range begins.
    pub(crate) fn last_start(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(start_ms: u64, end_ms: u64) -> Span {
        Span { start_ms, end_ms }
    }

    #[test]
    fn what_is_no_stretch_of_time_is_refused() {
        assert_eq!(Spans::new(vec![]), Err(SpanError::None));
        assert_eq!(
            Spans::new(vec![span(0, 1); MAX_SPANS + 1]),
            Err(SpanError::TooMany)
        );
        assert_eq!(
            Spans::new(vec![span(0, 5), span(7, 7)]),
            Err(SpanError::Empty(1))
        );
        assert_eq!(Spans::new(vec![span(9, 7)]), Err(SpanError::Empty(0)));
        assert_eq!(
            Spans::new(vec![span(0, u64::MAX)]),
            Err(SpanError::TooLate(0))
        );
    }

    #[test]
    fn a_sample_that_is_heard_in_part_counts() {
        let spans = Spans::new(vec![span(1, 2)]).unwrap();
        let mut samples = spans.in_samples(11_025);
        // 11.025 to 22.05.
        assert_eq!(samples.ahead(0), Some(Range { start: 11, end: 23 }));
        assert_eq!(samples.ahead(22), Some(Range { start: 11, end: 23 }));
        assert_eq!(samples.ahead(23), None);
    }

    #[test]
    fn a_sample_of_a_range_is_enough_to_touch_it() {
        let spans = Spans::new(vec![span(10, 20), span(30, 31)]).unwrap();
        let samples = spans.in_samples(1_000);
        for (start, end, touches) in [
            (0, 10, false),
            (0, 11, true),
            (19, 20, true),
            (20, 30, false),
            (20, 31, true),
            (31, 900, false),
            (15, 15, true),
        ] {
            assert_eq!(samples.touch(start, end), touches, "{start} to {end}");
        }
    }

    proptest! {
        #[test]
        fn in_order_and_apart_they_cover_the_same_time(
            spans in prop::collection::vec((0_u64..200, 1_u64..20), 1..20)
        ) {
            let spans: Vec<Span> = spans
                .into_iter()
                .map(|(start, length)| span(start, start + length))
                .collect();
            let merged = Spans::new(spans.clone()).unwrap();
            let all: Vec<Span> = merged.iter().collect();
            prop_assert!(all.windows(2).all(|pair| pair[0].end_ms < pair[1].start_ms));
            for at in 0..230 {
                let lies_in = |span: &Span| span.start_ms <= at && at < span.end_ms;
                prop_assert_eq!(spans.iter().any(lies_in), all.iter().any(lies_in));
            }
        }
    }
}
