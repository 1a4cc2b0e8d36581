use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{CancellationReason, ReturnValuesOnConditionCheckFailure};
use ringfence_ports::{Op, StoreError};

use super::plan::{Action, Guess, Plan, checked, holds, is_guessed, is_idle, plan};
use crate::Store;
use crate::item::{Item, WriteToken, is_written_by};
use crate::retry::{Patience, Trouble, is_busy, trouble};

/// The most bytes of a transaction's items.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
const MAX_TRANSACTION_BYTES: usize = 4 * 1024 * 1024;

/// Why a lone write was not done.
enum Refusal {
    /// The condition did not hold. The item as it is, if it was asked for and is there.
    Condition(Option<Item>),
    Trouble(Trouble),
}

/// What the reasons of a cancelled transaction come to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The condition of this operation of the transaction did not hold.
    Condition(usize),
    /// Only the guesses at these were wrong.
    Guesses(Vec<usize>),
    Trouble(Trouble),
}

impl Store {
    /// The operations of one unit: nothing, one write, or one transaction.
    pub(super) async fn write_rows(&self, ops: &[Op]) -> Result<(), StoreError> {
        let busy: Vec<(usize, &Op)> = ops
            .iter()
            .enumerate()
            .filter(|(_, op)| !is_idle(op))
            .collect();
        match busy.as_slice() {
            [] => Ok(()),
            [(at, op)] => self.write_one(op).await.map_err(|error| match error {
                StoreError::Condition { .. } => StoreError::Condition { op: *at },
                other => other,
            }),
            many => self.transact(many).await,
        }
    }

    async fn write_one(&self, op: &Op) -> Result<(), StoreError> {
        if let Some((key, when)) = checked(op) {
            let version = self.read(key).await?.map(|row| row.version);
            return if holds(when, version) {
                Ok(())
            } else {
                Err(StoreError::Condition { op: 0 })
            };
        }
        let token = self.token();
        let mut patience = Patience::new();
        let mut guess = Guess::NotExpired;
        // Whether an earlier try may have been done.
        let mut unsure = false;
        loop {
            let refusal = match self
                .put_update_or_delete(plan(op, guess, self.now(), token), unsure)
                .await
            {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            match refusal {
                Refusal::Condition(Some(item)) if unsure && is_written_by(&item, token) => {
                    return Ok(());
                }
                Refusal::Condition(None) if unsure && matches!(op, Op::Delete(..)) => {
                    return Err(StoreError::Unavailable(
                        "whether a row was deleted is unknown".to_owned(),
                    ));
                }
                Refusal::Condition(_) if is_guessed(op) => {
                    guess = guess.other();
                    if !patience.wait(&*self.random).await {
                        return Err(StoreError::Busy);
                    }
                }
                Refusal::Condition(_) => return Err(StoreError::Condition { op: 0 }),
                Refusal::Trouble(trouble) => {
                    unsure |= matches!(trouble, Trouble::Unsure(_));
                    patience.outlast(trouble, &*self.random).await?;
                }
            }
        }
    }

    /// One request. `show` asks for the item where the condition fails.
    async fn put_update_or_delete(&self, plan: Plan, show: bool) -> Result<(), Refusal> {
        let Plan {
            action,
            condition,
            values,
        } = plan;
        let condition = condition.map(str::to_owned);
        let table = &self.options.table;
        let old =
            (show && condition.is_some()).then_some(ReturnValuesOnConditionCheckFailure::AllOld);
        match action {
            Action::Put(item) => {
                let sent = self
                    .dynamo
                    .put_item()
                    .table_name(table)
                    .set_item(Some(item))
                    .set_condition_expression(condition)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old)
                    .set_return_consumed_capacity(self.capacity())
                    .send();
                sent.await
                    .map(drop)
                    .map_err(|error| match error.as_service_error() {
                        Some(PutItemError::ConditionalCheckFailedException(e)) => {
                            Refusal::Condition(e.item().cloned())
                        }
                        _ => Refusal::Trouble(trouble(&error)),
                    })
            }
            Action::Update { key, expression } => {
                let sent = self
                    .dynamo
                    .update_item()
                    .table_name(table)
                    .set_key(Some(key))
                    .update_expression(expression)
                    .set_condition_expression(condition)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old)
                    .set_return_consumed_capacity(self.capacity())
                    .send();
                sent.await
                    .map(drop)
                    .map_err(|error| match error.as_service_error() {
                        Some(UpdateItemError::ConditionalCheckFailedException(e)) => {
                            Refusal::Condition(e.item().cloned())
                        }
                        _ => Refusal::Trouble(trouble(&error)),
                    })
            }
            Action::Delete(key) => {
                let sent = self
                    .dynamo
                    .delete_item()
                    .table_name(table)
                    .set_key(Some(key))
                    .set_condition_expression(condition)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old)
                    .set_return_consumed_capacity(self.capacity())
                    .send();
                sent.await
                    .map(drop)
                    .map_err(|error| match error.as_service_error() {
                        Some(DeleteItemError::ConditionalCheckFailedException(e)) => {
                            Refusal::Condition(e.item().cloned())
                        }
                        _ => Refusal::Trouble(trouble(&error)),
                    })
            }
            Action::Check(_) => Ok(()),
        }
    }

    /// Several operations, all or nothing. Each comes with its place in the unit.
    async fn transact(&self, ops: &[(usize, &Op)]) -> Result<(), StoreError> {
        let mut patience = Patience::new();
        let mut guesses = vec![Guess::NotExpired; ops.len()];
        loop {
            // A try with other guesses is another request, with another token.
            match self.transact_as(ops, &guesses, &mut patience).await? {
                Verdict::Condition(at) => {
                    let op = ops.get(at).map_or(at, |(place, _)| *place);
                    return Err(StoreError::Condition { op });
                }
                Verdict::Guesses(wrong) => {
                    if wrong.is_empty() {
                        return Ok(());
                    }
                    for at in wrong {
                        if let Some(guess) = guesses.get_mut(at) {
                            *guess = guess.other();
                        }
                    }
                    if !patience.wait(&*self.random).await {
                        return Err(StoreError::Busy);
                    }
                }
                Verdict::Trouble(trouble) => return Err(trouble.into()),
            }
        }
    }

    /// One transaction, tried until it is decided. `Guesses` of none: it is done.
    async fn transact_as(
        &self,
        ops: &[(usize, &Op)],
        guesses: &[Guess],
        patience: &mut Patience,
    ) -> Result<Verdict, StoreError> {
        let token = self.token();
        // Of each try the same bytes, as the request's token demands.
        let now = self.now();
        let mut items = Vec::with_capacity(ops.len());
        let mut bytes = 0;
        for ((_, op), guess) in ops.iter().zip(guesses) {
            let plan = plan(op, *guess, now, token);
            bytes += plan.bytes();
            items.push(plan.into_transacted(&self.options.table)?);
        }
        if bytes > MAX_TRANSACTION_BYTES {
            return Err(StoreError::TooLarge {
                limit: MAX_TRANSACTION_BYTES,
            });
        }
        let name = token
            .iter()
            .fold(String::with_capacity(16), |mut name, byte| {
                use std::fmt::Write as _;
                let _ = write!(name, "{byte:02x}");
                name
            });
        loop {
            let sent = self
                .dynamo
                .transact_write_items()
                .client_request_token(&name)
                .set_transact_items(Some(items.clone()))
                .set_return_consumed_capacity(self.capacity())
                .send()
                .await;
            let Err(error) = sent else {
                return Ok(Verdict::Guesses(Vec::new()));
            };
            match judge(&error, ops) {
                Verdict::Trouble(trouble) => patience.outlast(trouble, &*self.random).await?,
                decided => return Ok(decided),
            }
        }
    }

    fn token(&self) -> WriteToken {
        let mut token = [0; 8];
        self.random.fill(&mut token);
        token
    }
}

impl Plan {
    fn bytes(&self) -> usize {
        let values = match &self.action {
            Action::Put(item) => Some(item),
            _ => self.values.as_ref(),
        };
        values
            .into_iter()
            .flatten()
            .map(|(name, value)| name.len() + value_bytes(value))
            .sum()
    }
}

fn value_bytes(value: &aws_sdk_dynamodb::types::AttributeValue) -> usize {
    use aws_sdk_dynamodb::types::AttributeValue;
    match value {
        AttributeValue::S(s) => s.len(),
        AttributeValue::B(b) => b.as_ref().len(),
        _ => 21,
    }
}

fn judge(error: &SdkError<TransactWriteItemsError>, ops: &[(usize, &Op)]) -> Verdict {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let codes = cancelled
                .cancellation_reasons()
                .iter()
                .map(CancellationReason::code);
            judge_reasons(codes.map(Option::unwrap_or_default), ops)
        }
        _ => Verdict::Trouble(trouble(error)),
    }
}

/// A condition that does not hold outweighs a conflict: more tries would not change it, or find out.
fn judge_reasons<'a>(codes: impl Iterator<Item = &'a str>, ops: &[(usize, &Op)]) -> Verdict {
    let mut wrong = Vec::new();
    let mut other = None;
    for (at, (code, (_, op))) in codes.zip(ops).enumerate() {
        match code {
            "" | "None" => {}
            "ConditionalCheckFailed" if is_guessed(op) => wrong.push(at),
            "ConditionalCheckFailed" => return Verdict::Condition(at),
            busy if is_busy(busy) => {
                other.get_or_insert(Trouble::Busy);
            }
            refused => {
                other = Some(Trouble::Refused(format!(
                    "a transaction was cancelled: {refused}"
                )));
            }
        }
    }
    match other {
        Some(refused @ Trouble::Refused(_)) => Verdict::Trouble(refused),
        _ if !wrong.is_empty() => Verdict::Guesses(wrong),
        Some(busy) => Verdict::Trouble(busy),
        None => Verdict::Trouble(Trouble::Refused(
            "a transaction was cancelled without a reason".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringfence_ports::{Key, Put, When};

    #[test]
    fn reasons_come_to_one_verdict() {
        let always = Op::Put(Put::new(Key::new("a", "a"), "1", When::Always));
        let check = Op::Check(Key::new("b", "b"), When::Present);
        let ops = [(0, &always), (1, &check), (2, &check)];
        let verdict = |codes: [&'static str; 3]| judge_reasons(codes.into_iter(), &ops);
        let failed = "ConditionalCheckFailed";
        assert_eq!(verdict(["None", failed, failed]), Verdict::Condition(1));
        assert_eq!(verdict([failed, "None", failed]), Verdict::Condition(2));
        assert_eq!(verdict([failed, "None", "None"]), Verdict::Guesses(vec![0]));
        assert_eq!(
            verdict([failed, "TransactionConflict", "None"]),
            Verdict::Guesses(vec![0])
        );
        assert_eq!(
            verdict(["TransactionConflict", failed, "None"]),
            Verdict::Condition(1)
        );
        let busy = Verdict::Trouble(Trouble::Busy);
        assert_eq!(verdict(["None", "TransactionConflict", "None"]), busy);
        assert_eq!(verdict(["ThrottlingError", "None", "None"]), busy);
        assert_eq!(
            verdict(["ProvisionedThroughputExceeded", "None", "None"]),
            busy
        );
        let refused = Verdict::Trouble(Trouble::Refused(
            "a transaction was cancelled: ValidationError".to_owned(),
        ));
        assert_eq!(
            verdict(["TransactionConflict", "ValidationError", "None"]),
            refused
        );
    }
}
