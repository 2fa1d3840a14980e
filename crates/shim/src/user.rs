//! Finds a user and its groups in the container's own `/etc/passwd` and `/etc/group`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::kernel::open_in_root;

/// What a process is run as.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// Files larger than this are no user database.
const DATABASE_BYTES_MAX: u64 = 16 << 20;

/// Looks up `user` and the additional `groups` in the root.
pub(crate) fn look_up(root: &File, user: &str, groups: &[String]) -> Result<User, String> {
    let passwd = database(root, "/etc/passwd").map_err(|error| format!("read /etc/passwd: {error}"))?;
    let group = database(root, "/etc/group").map_err(|error| format!("read /etc/group: {error}"))?;
    resolve(user, groups, &passwd, &group)
}

fn database(root: &File, path: &str) -> io::Result<String> {
    let file = match open_in_root(root, Path::new(path), libc::O_RDONLY | libc::O_NONBLOCK) {
        Ok(file) if file.metadata()?.is_file() => file,
        Ok(_) => return Ok(String::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(DATABASE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn resolve(user: &str, groups: &[String], passwd: &str, group: &str) -> Result<User, String> {
    let (name, group_name) = match user.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (user, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    // passwd: name, password, uid, gid. A name wins over a number, as Docker has it.
    let mut rows = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| row.len() >= 4 && (row[0] == name || row[2] == name));
    let own = row.and_then(|row| Some((row[0].to_owned(), row[2].parse().ok()?, row[3].parse().ok()?)));
    let (login, uid, own_gid) = match (own, name.parse::<u32>()) {
        (Some((login, uid, gid)), _) => (Some(login), uid, gid),
        (None, Ok(uid)) => (None, uid, 0),
        (None, Err(_)) => {
            return Err(format!("unable to find user {name}: no matching entries in passwd file"));
        }
    };
    let mut found = User { uid, gid: own_gid, groups: Vec::new() };
    match group_name {
        Some(wanted) if !wanted.is_empty() => found.gid = gid_of(wanted, group)?,
        Some(_) | None => found.groups = login.map(|login| member_of(&login, group)).unwrap_or_default(),
    }
    for wanted in groups {
        found.groups.push(gid_of(wanted, group)?);
    }
    Ok(found)
}

/// group: name, password, gid, members.
fn gid_of(wanted: &str, group: &str) -> Result<u32, String> {
    let mut rows = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| row.len() >= 3 && row[0] == wanted);
    match (row.and_then(|row| row[2].parse().ok()), wanted.parse()) {
        (Some(gid), _) | (None, Ok(gid)) => Ok(gid),
        (None, Err(_)) => Err(format!("unable to find group {wanted}: no matching entries in group file")),
    }
}

fn member_of(login: &str, group: &str) -> Vec<u32> {
    group
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|row| row.len() >= 4 && row[3].split(',').any(|member| member == login))
        .filter_map(|row| row[2].parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\nbroken\n";
    const GROUP: &str = "root:x:0:\nweb:x:34:\nlogs:x:4:web,other\ndocker:x:99:\n";

    fn check(user: &str, groups: &[&str], expected: Result<(u32, u32, &[u32]), &str>) {
        let groups: Vec<String> = groups.iter().map(|g| g.to_string()).collect();
        let expected = expected
            .map(|(uid, gid, groups)| User { uid, gid, groups: groups.to_vec() })
            .map_err(str::to_owned);
        assert_eq!(resolve(user, &groups, PASSWD, GROUP), expected, "{user}");
    }

    #[test]
    fn users_are_found_by_name_and_number() {
        check("", &[], Ok((0, 0, &[])));
        check("web", &[], Ok((33, 34, &[4])));
        check("33", &[], Ok((33, 34, &[4])));
        check("web:docker", &[], Ok((33, 99, &[])));
        check("1000:1001", &[], Ok((1000, 1001, &[])));
        check("1000", &["docker", "7"], Ok((1000, 0, &[99, 7])));
    }

    #[test]
    fn unknown_names_are_refused() {
        check("ann", &[], Err("unable to find user ann: no matching entries in passwd file"));
        check("0:club", &[], Err("unable to find group club: no matching entries in group file"));
    }
}
