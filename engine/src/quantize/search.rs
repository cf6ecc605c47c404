//! The fewest layers that have to stay in floats.

/// The smallest number from 1 to `count - 1` that is good, found by doubling and then bisecting, in
/// about twice the logarithm of the result in calls of `is_good`. More is taken for better; where that
/// does not hold, the number returned was good all the same. `None` where none is, not even the
/// largest. What it was asked of last that was good is what it returns.
pub(super) fn fewest<E>(
    count: usize,
    mut is_good: impl FnMut(usize) -> Result<bool, E>,
) -> Result<Option<usize>, E> {
    let (mut bad, mut good) = (0, 1);
    loop {
        good = good.min(count.saturating_sub(1));
        if good <= bad {
            return Ok(None);
        }
        if is_good(good)? {
            break;
        }
        bad = good;
        good *= 2;
    }
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        match is_good(middle)? {
            true => good = middle,
            false => bad = middle,
        }
    }
    Ok(Some(good))
}

/// How often [`fewest`] asks at most.
pub(super) fn most_calls(count: usize) -> usize {
    2 * count.checked_ilog2().unwrap_or(0) as usize + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_are_found_in_few_calls() {
        for count in [2, 3, 10, 93] {
            for threshold in 1..count + 3 {
                let mut asked = Vec::new();
                let mut last_good = None;
                let found = fewest(count, |number| {
                    asked.push(number);
                    let good = number >= threshold;
                    last_good = if good { Some(number) } else { last_good };
                    Ok::<_, ()>(good)
                });
                let expected = (threshold < count).then_some(threshold);
                assert_eq!(found, Ok(expected), "{count} {threshold}: {asked:?}");
                assert_eq!(last_good, expected);
                assert!(asked.len() <= most_calls(count), "{asked:?}");
                assert!(asked.iter().all(|number| (1..count).contains(number)), "{asked:?}");
                let mut unique = asked.clone();
                unique.sort_unstable();
                unique.dedup();
                assert_eq!(unique.len(), asked.len(), "asked twice: {asked:?}");
            }
        }
    }

    #[test]
    fn one_layer_leaves_nothing_to_search() {
        assert_eq!(fewest(1, |_| Ok::<_, ()>(true)), Ok(None));
        assert_eq!(fewest(0, |_| Ok::<_, ()>(true)), Ok(None));
    }

    #[test]
    fn an_error_ends_the_search() {
        assert_eq!(fewest(9, |number| if number < 4 { Ok(false) } else { Err(number) }), Err(4));
    }
}
