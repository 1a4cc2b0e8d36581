use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use ringfence_ports::{Key, StoreError};

use crate::Store;
use crate::item::{COUNT, EXPIRES, Item, TTL_ATTRIBUTE, is_expired, key_item, number, ttl_seconds};
use crate::retry::{Patience, Trouble, trouble};

/// What a counter without an expiry has in its place, so that one update creates it with an expiry
/// or leaves it as it is: the end of the year 9999.
const NEVER: i64 = 253_402_300_799_000;

/// The bound is judged where the counter is live. An absent one may be created.
const WITHIN: &str = "attribute_not_exists(pk) OR (x > :now AND c BETWEEN :low AND :high)";
/// The same where creating it would already exceed the bound.
const WITHIN_EXISTING: &str = "x > :now AND c BETWEEN :low AND :high";
const ADD: &str = "SET x = if_not_exists(x, :x), exp = if_not_exists(exp, :exp) ADD c :delta";

/// Where a counter that does not hold the condition stands.
enum Refusal {
    Expired,
    Bound,
    Trouble(Trouble),
}

impl Store {
    /// Adds to a counter: one update where it is live or absent; where it has expired and still lies
    /// there, one more write puts a new one in its place.
    pub(super) async fn add(
        &self,
        key: &Key,
        delta: i64,
        max: Option<i64>,
        expires_at: Option<Timestamp>,
    ) -> Result<i64, StoreError> {
        let bounds = Bounds::of(delta, max);
        // DynamoDB refuses a range that is none.
        if bounds.high < bounds.low {
            return Err(StoreError::Condition { op: 0 });
        }
        let expires = expires_at.map_or(NEVER, Timestamp::as_millisecond);
        let mut patience = Patience::new();
        loop {
            let now = self.now();
            let trouble = match self.add_to_live(key, delta, &bounds, expires, now).await {
                Ok(sum) => return Ok(sum),
                Err(Refusal::Bound) => return Err(StoreError::Condition { op: 0 }),
                Err(Refusal::Expired) if !bounds.creates => {
                    return Err(StoreError::Condition { op: 0 });
                }
                Err(Refusal::Expired) => match self.start_anew(key, delta, expires, now).await {
                    Ok(()) => return Ok(delta),
                    // Another caller was faster: add to theirs.
                    Err(Refusal::Expired | Refusal::Bound) => Trouble::Busy,
                    Err(Refusal::Trouble(trouble)) => trouble,
                },
                Err(Refusal::Trouble(trouble)) => trouble,
            };
            // Once more might count twice: whoever charges this counter fails closed instead.
            if matches!(trouble, Trouble::Unsure(_)) {
                return Err(trouble.into());
            }
            patience.outlast(trouble, &*self.random).await?;
        }
    }

    async fn add_to_live(
        &self,
        key: &Key,
        delta: i64,
        bounds: &Bounds,
        expires: i64,
        now: i64,
    ) -> Result<i64, Refusal> {
        let values = Item::from([
            (":now".to_owned(), number(now)),
            (":low".to_owned(), number(bounds.low)),
            (":high".to_owned(), number(bounds.high)),
            (":x".to_owned(), number(expires)),
            (":exp".to_owned(), number(ttl_seconds(expires))),
            (":delta".to_owned(), number(delta)),
        ]);
        let added = self
            .dynamo
            .update_item()
            .table_name(&self.options.table)
            .set_key(Some(key_item(key)))
            .update_expression(ADD)
            .condition_expression(if bounds.creates {
                WITHIN
            } else {
                WITHIN_EXISTING
            })
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        match added {
            Ok(added) => match added.attributes.as_ref().and_then(|new| new.get(COUNT)) {
                Some(AttributeValue::N(sum)) => sum.parse().map_err(|_| undecodable()),
                _ => Err(undecodable()),
            },
            Err(error) => Err(refusal(&error, now)),
        }
    }

    async fn start_anew(
        &self,
        key: &Key,
        value: i64,
        expires: i64,
        now: i64,
    ) -> Result<(), Refusal> {
        let mut item = key_item(key);
        item.insert(COUNT.to_owned(), number(value));
        item.insert(EXPIRES.to_owned(), number(expires));
        item.insert(TTL_ATTRIBUTE.to_owned(), number(ttl_seconds(expires)));
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.options.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR x <= :now")
            .expression_attribute_values(":now", number(now))
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        put.map(drop)
            .map_err(|error| match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Refusal::Expired,
                _ => Refusal::Trouble(trouble(&error)),
            })
    }
}

/// Between which values a counter may be for `delta` to be added: the sum is at most the bound, and
/// is a 64-bit number.
struct Bounds {
    low: i128,
    high: i128,
    /// Whether 0 is, so that the counter may be created.
    creates: bool,
}

impl Bounds {
    fn of(delta: i64, max: Option<i64>) -> Self {
        let delta = i128::from(delta);
        let low = i128::from(i64::MIN) - delta.min(0);
        let high = i128::from(max.unwrap_or(i64::MAX)) - delta;
        Self {
            low,
            high,
            creates: high >= 0,
        }
    }
}

fn refusal(error: &SdkError<UpdateItemError>, now: i64) -> Refusal {
    let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error()
    else {
        return Refusal::Trouble(trouble(error));
    };
    match failed.item().map(|item| is_expired(item, now)) {
        Some(Ok(true)) => Refusal::Expired,
        Some(Err(error)) => Refusal::Trouble(error.into()),
        Some(Ok(false)) | None => Refusal::Bound,
    }
}

fn undecodable() -> Refusal {
    Refusal::Trouble(crate::item::Undecodable.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_of_the_sum() {
        let bounds = |delta, max| {
            let bounds = Bounds::of(delta, max);
            (bounds.high, bounds.creates)
        };
        assert_eq!(bounds(4, Some(3)), (-1, false));
        assert_eq!(bounds(3, Some(3)), (0, true));
        assert_eq!(bounds(-1, Some(3)), (4, true));
        assert_eq!(bounds(1, None), (i128::from(i64::MAX) - 1, true));
        assert_eq!(Bounds::of(-5, None).low, i128::from(i64::MIN) + 5);
    }
}
