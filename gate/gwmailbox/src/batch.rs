//! Which messages a run takes. Pure: numbers in, numbers out.

/// The messages of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Oldest first.
    pub(crate) uids: Vec<u32>,
    /// Messages that are new but over the limit.
    pub(crate) too_large: usize,
}

/// What bounds a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Messages at most.
    pub(crate) messages: usize,
    /// Bytes of all of them at most, and of each.
    pub(crate) bytes: u32,
}

/// Takes messages, oldest first, as long as they fit; `sizes` are uid and size in bytes.
pub(crate) fn choose(mut sizes: Vec<(u32, u32)>, bounds: Bounds) -> Found {
    sizes.sort_unstable();
    sizes.dedup_by_key(|(uid, _)| *uid);
    let (fitting, large): (Vec<_>, Vec<_>) =
        sizes.into_iter().partition(|(_, size)| *size <= bounds.bytes);
    let mut left = bounds.bytes;
    let uids = fitting
        .into_iter()
        .take(bounds.messages)
        .map_while(|(uid, size)| {
            left = left.checked_sub(size)?;
            Some(uid)
        })
        .collect();
    Found { uids, too_large: large.len() }
}

/// The numbers of `VALIDITY-UID` names that belong to this validity. After the server has renumbered
/// its folder the old names mean nothing.
pub(crate) fn uids_of(names: &[String], validity: u32) -> Vec<u32> {
    let of = |name: &String| {
        let (known, uid) = name.split_once('-')?;
        (known.parse() == Ok(validity)).then(|| uid.parse().ok()).flatten()
    };
    names.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_takes_the_oldest_that_fit() {
        let bounds = Bounds { messages: 3, bytes: 100 };
        let sizes = vec![(9, 10), (4, 50), (5, 101), (6, 40), (8, 30)];
        assert_eq!(choose(sizes, bounds), Found { uids: vec![4, 6], too_large: 1 });
        let many = (1..10).map(|uid| (uid, 1)).collect();
        assert_eq!(choose(many, bounds).uids, [1, 2, 3]);
    }

    #[test]
    fn names_of_another_validity_mean_nothing() {
        let names = ["7-1", "8-2", "7-x", "7", "7-30"].map(str::to_owned);
        assert_eq!(uids_of(&names, 7), [1, 30]);
    }
}
