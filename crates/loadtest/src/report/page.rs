use crate::outcome::Outcome;
pub fn page(_: &Outcome) -> String {
    String::new()
}
