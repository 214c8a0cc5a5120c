//! What the tables of a `*_dns_reply_filter` make of an answer.

use std::sync::Arc;

use crate::{Answer, Error, Failure, Kind, Record};

/// The answer without the records that a table says to ignore. `said` is what the table has for each record, in the form of a line of
/// a zone file; `parameter` is what the log calls the table.
///
/// # Errors
/// Filtered when nothing is left; a temporary error when the table failed, or asks for what nobody knows.
pub fn filter<E>(
    answer: &Answer,
    parameter: &str,
    said: Vec<Result<Option<Vec<u8>>, E>>,
) -> Result<Arc<Answer>, Error> {
    let kind = answer.records.first().map_or(Kind::A, Record::kind);
    let failed = |failure| Error::new(failure, &answer.name, kind);
    let mut kept = Vec::new();
    for (record, action) in answer.records.iter().zip(said) {
        match action {
            Ok(None) => kept.push(record.clone()),
            Ok(Some(action)) if action.eq_ignore_ascii_case(b"ignore") => tracing::info!("ignoring DNS RR: {record}"),
            Ok(Some(action)) => {
                let action = String::from_utf8_lossy(&action);
                tracing::warn!("{parameter}: unknown DNS filter action: \"{action}\"");
                return Err(failed(Failure::FilterFault));
            }
            Err(_) => return Err(failed(Failure::FilterFault)),
        }
    }
    if kept.is_empty() {
        return Err(failed(Failure::Filtered));
    }
    Ok(Arc::new(Answer { records: kept, ..Answer::clone(answer) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Data;

    fn answer(addresses: &[[u8; 4]]) -> Arc<Answer> {
        let record =
            |address: &[u8; 4]| Record { name: "x.test".into(), ttl: 60, data: Data::Address((*address).into()) };
        Arc::new(Answer { name: "x.test".into(), records: addresses.iter().map(record).collect(), authentic: true })
    }

    #[test]
    fn what_the_table_says() {
        let said = |address: &[u8; 4]| match address {
            [.., 1] => Ok(Some(b"IGNORE".to_vec())),
            [.., 3] => Ok(Some(b"REJECT".to_vec())),
            [.., 4] => Err(()),
            _ => Ok(None),
        };
        let filtered =
            |addresses: &[[u8; 4]]| filter(&answer(addresses), "some_filter", addresses.iter().map(said).collect());
        let [ignored, kept, unknown, broken] = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 4]];
        assert_eq!(filtered(&[ignored, kept]).unwrap(), answer(&[kept]));
        for (addresses, failure) in [
            (vec![ignored], Failure::Filtered),
            (vec![kept, unknown], Failure::FilterFault),
            (vec![kept, broken], Failure::FilterFault),
        ] {
            assert_eq!(filtered(&addresses).unwrap_err().failure, failure, "{addresses:?}");
        }
    }
}
