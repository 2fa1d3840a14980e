//! Order as people expect it: `web.2` before `web.10`.

use std::cmp::Ordering;

/// Compares two texts, taking runs of digits as numbers.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else {
            return a.len().cmp(&b.len());
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (left, right) = (digits(a), digits(b));
            let (p, q) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
            let order =
                p.len().cmp(&q.len()).then_with(|| p.cmp(q)).then_with(|| left.len().cmp(&right.len()));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[left.len()..], &b[right.len()..]);
        } else if x != y {
            return x.cmp(&y);
        } else {
            (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
        }
    }
}

fn digits(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = ["web.10", "web.2", "api", "web", "web.1", "w2", "w10", "w1x"];

        names.sort_by(|a, b| compare(a, b));

        assert_eq!(names, ["api", "w1x", "w2", "w10", "web", "web.1", "web.2", "web.10"]);
    }
}
