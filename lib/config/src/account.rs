//! The account a program runs as: name, home and groups, from `/etc/passwd` and `/etc/group`.

use std::path::PathBuf;

/// An account of the machine. One that is not in `/etc/passwd` (LDAP and the like) goes by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// Its first group, where it is known.
    pub gid: Option<u32>,
    /// Its name, or its number as text.
    pub name: String,
    /// Its home, where it is known.
    pub home: Option<PathBuf>,
}

impl Account {
    /// The account this program runs as now.
    pub fn current() -> Self {
        Self::of(rustix::process::geteuid().as_raw())
    }

    /// The account with this number.
    pub fn of(uid: u32) -> Self {
        Self::among(uid, &read("/etc/passwd"))
    }

    /// The further groups it is listed in.
    pub fn groups(&self) -> Vec<u32> {
        self.groups_among(&read("/etc/group"))
    }

    fn among(uid: u32, passwd: &str) -> Self {
        let mut account = Self { uid, gid: None, name: uid.to_string(), home: None };
        let lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let Some(line) =
            lines.into_iter().find(|line| line.len() > 5 && line[2].parse() == Ok(uid))
        else {
            return account;
        };
        line[0].clone_into(&mut account.name);
        account.gid = line[3].parse().ok();
        account.home = Some(PathBuf::from(line[5])).filter(|home| home.is_absolute());
        account
    }

    fn groups_among(&self, group: &str) -> Vec<u32> {
        group.lines().filter_map(|line| member_group(line, &self.name)).collect()
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The number of a group, by its name or its number; None: there is none in `/etc/group`.
pub fn group_id(name: &str) -> Option<u32> {
    let groups = read("/etc/group");
    let mut lines = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = lines.find(|line| line.len() > 2 && (line[0] == name || line[2] == name))?;
    found[2].parse().ok()
}

fn member_group(line: &str, name: &str) -> Option<u32> {
    let fields: Vec<_> = line.split(':').collect();
    let is_member = fields.get(3)?.split(',').any(|member| member == name);
    is_member.then(|| fields[2].parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_home_and_groups_are_read() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nmail:x:8:12:m:/var/mail:/bin/sh\n";
        let group = "root:x:0:\nadm:x:4:syslog,mail\nmailers:x:5:email\n";
        let mail = Account::among(8, passwd);
        assert_eq!((mail.name.as_str(), mail.gid), ("mail", Some(12)));
        assert_eq!(mail.groups_among(group), [4]);
        assert_eq!(mail.home, Some("/var/mail".into()));
        let nobody = Account::among(7, passwd);
        assert_eq!((nobody.name.as_str(), nobody.home), ("7", None));
    }
}
