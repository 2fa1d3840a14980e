//! From limits to values in the files of cgroups, in version 1 and 2.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::{Cgroups, Resources};

/// The period of the CPU quota where none is asked for.
const PERIOD_US: u64 = 100_000;
/// The kernel refuses less CPU time per period.
const QUOTA_US_MIN: u64 = 1_000;

/// Whether processes are in the cgroups already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// They were just made: what is not limited need not be said.
    Made,
    /// They may have other limits, which are taken away where they are not asked for.
    Living,
}

/// What stands for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unlimited {
    Is(&'static str),
    /// What the cgroup above has.
    Inherited,
    /// What is there.
    Kept,
}

/// One value of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    controller: &'static str,
    /// The file; of several names the first that is there.
    files: &'static [&'static str],
    value: Option<String>,
    unlimited: Unlimited,
    /// Left out on kernels without it.
    is_optional: bool,
}

impl Cgroups {
    /// Sets their limits; the error names the file that refused.
    pub fn limit(&self, resources: &Resources, moment: Moment) -> Result<(), String> {
        let of_version_1 = version_1(resources);
        let mut handled = Vec::new();
        for cgroup in self.version_1() {
            for controller in cgroup.controllers {
                handled.push(controller.as_str());
                let settings = of_version_1.iter().filter(|setting| setting.controller == controller);
                set_all(cgroup.dir, settings, moment)?;
            }
        }
        let of_version_2 = version_2(resources);
        let left = of_version_2.iter().filter(|setting| !handled.contains(&setting.controller));
        match self.version_2() {
            Some(cgroup) => {
                set_all(cgroup.dir, left.filter(|s| s.exists(cgroup.dir) || s.value.is_some()), moment)
            }
            None => match left.filter(|setting| !setting.is_optional).find(|setting| setting.value.is_some())
            {
                Some(setting) => Err(format!("this host has no cgroup controller {}", setting.controller)),
                None => Ok(()),
            },
        }
    }
}

fn set_all<'a>(
    dir: &Path,
    settings: impl Iterator<Item = &'a Setting>,
    moment: Moment,
) -> Result<(), String> {
    let mut refused: Option<(&Setting, String)> = None;
    for setting in settings {
        if let Err(error) = setting.set(dir, moment) {
            // Of two limits that bound each other the other one may have to go first: it gets its turn.
            match refused.take() {
                None => refused = Some((setting, error)),
                Some((_, first)) => return Err(first),
            }
        } else if let Some((first, _)) = refused.take_if(|(first, _)| first.controller == setting.controller)
        {
            first.set(dir, moment)?;
        }
    }
    refused.map_or(Ok(()), |(_, error)| Err(error))
}

impl Setting {
    fn required(controller: &'static str, file: &'static [&'static str], value: Option<String>) -> Setting {
        let unlimited = Unlimited::Is("max");
        Setting { controller, files: file, value, unlimited, is_optional: false }
    }

    fn unlimited(self, unlimited: Unlimited) -> Setting {
        Setting { unlimited, ..self }
    }

    fn optional(self) -> Setting {
        Setting { is_optional: true, ..self }
    }

    fn exists(&self, dir: &Path) -> bool {
        self.files.iter().any(|file| dir.join(file).exists())
    }

    fn set(&self, dir: &Path, moment: Moment) -> Result<(), String> {
        let value = match (&self.value, moment, self.unlimited) {
            (Some(value), ..) => value.clone(),
            (None, Moment::Made, _) | (None, _, Unlimited::Kept) => return Ok(()),
            (None, Moment::Living, Unlimited::Is(value)) => value.to_owned(),
            (None, Moment::Living, Unlimited::Inherited) => self.inherited(dir),
        };
        let there = self.files.iter().find(|file| dir.join(file).exists());
        let file = match there {
            None if self.is_optional || self.value.is_none() => return Ok(()),
            found => found.unwrap_or(&self.files[0]),
        };
        write(&dir.join(file), &value)
    }

    fn inherited(&self, dir: &Path) -> String {
        let above = dir.parent().unwrap_or(dir).join(self.files[0]);
        fs::read_to_string(above).unwrap_or_default().trim().to_owned()
    }
}

/// Writes a value into a file of a cgroup.
pub(crate) fn write(path: &Path, value: &str) -> Result<(), String> {
    let written = || -> io::Result<()> {
        // An empty value is written too: the kernel takes it for none.
        let text = if value.is_empty() { "\n" } else { value };
        fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
    };
    written().map_err(|error| format!("write {value} to {}: {error}", path.display()))
}

fn version_1(resources: &Resources) -> Vec<Setting> {
    let Resources {
        memory_bytes,
        memory_reservation_bytes,
        memory_swap_bytes: _,
        memory_swappiness,
        oom_kill_disable,
        nano_cpus: _,
        cpu_quota_us: _,
        cpu_period_us: _,
        cpu_shares,
        cpuset_cpus,
        cpuset_mems,
        blkio_weight,
        pids,
    } = resources;
    let minus_one = Unlimited::Is("-1");
    vec![
        Setting::required("memory", &["memory.limit_in_bytes"], number(*memory_bytes)).unlimited(minus_one),
        Setting::required("memory", &["memory.memsw.limit_in_bytes"], swap_and_memory(resources))
            .unlimited(minus_one)
            .optional(),
        Setting::required("memory", &["memory.soft_limit_in_bytes"], number(*memory_reservation_bytes))
            .unlimited(minus_one),
        Setting::required("memory", &["memory.swappiness"], memory_swappiness.map(|value| value.to_string()))
            .unlimited(Unlimited::Inherited)
            .optional(),
        Setting::required("memory", &["memory.oom_control"], oom_kill_disable.then(|| "1".to_owned()))
            .unlimited(Unlimited::Is("0"))
            .optional(),
        Setting::required("cpu", &["cpu.shares"], number(*cpu_shares)).unlimited(Unlimited::Is("1024")),
        Setting::required("cpu", &["cpu.cfs_period_us"], period_us(resources).map(|us| us.to_string()))
            .unlimited(Unlimited::Is("100000")),
        Setting::required("cpu", &["cpu.cfs_quota_us"], quota_us(resources).map(|us| us.to_string()))
            .unlimited(minus_one),
        Setting::required("cpuset", &["cpuset.cpus"], text(cpuset_cpus)).unlimited(Unlimited::Inherited),
        Setting::required("cpuset", &["cpuset.mems"], text(cpuset_mems)).unlimited(Unlimited::Inherited),
        Setting::required("blkio", &["blkio.weight", "blkio.bfq.weight"], weight(*blkio_weight))
            .unlimited(Unlimited::Kept)
            .optional(),
        Setting::required("pids", &["pids.max"], number(*pids)),
    ]
}

fn version_2(resources: &Resources) -> Vec<Setting> {
    let Resources {
        memory_bytes,
        memory_reservation_bytes,
        memory_swap_bytes: _,
        memory_swappiness: _,
        oom_kill_disable: _,
        nano_cpus: _,
        cpu_quota_us: _,
        cpu_period_us: _,
        cpu_shares,
        cpuset_cpus,
        cpuset_mems,
        blkio_weight,
        pids,
    } = resources;
    let shares = cpu_shares.filter(|shares| *shares != 0);
    vec![
        Setting::required("memory", &["memory.max"], number(*memory_bytes)),
        Setting::required("memory", &["memory.swap.max"], swap_alone(resources)).optional(),
        Setting::required("memory", &["memory.low"], number(*memory_reservation_bytes))
            .unlimited(Unlimited::Is("0")),
        Setting::required("cpu", &["cpu.weight"], shares.map(|shares| cpu_weight(shares).to_string()))
            .unlimited(Unlimited::Is("100")),
        Setting::required("cpu", &["cpu.max"], cpu_max(resources)).unlimited(Unlimited::Is("max 100000")),
        Setting::required("cpuset", &["cpuset.cpus"], text(cpuset_cpus)).unlimited(Unlimited::Is("")),
        Setting::required("cpuset", &["cpuset.mems"], text(cpuset_mems)).unlimited(Unlimited::Is("")),
        Setting::required("io", &["io.bfq.weight"], weight(*blkio_weight))
            .unlimited(Unlimited::Kept)
            .optional(),
        Setting::required("io", &["io.weight"], weight(blkio_weight.as_ref().map(io_weight)))
            .unlimited(Unlimited::Kept)
            .optional(),
        Setting::required("pids", &["pids.max"], number(*pids)),
    ]
}

/// Returns the value of a limit for which 0 means none.
fn number(limit: Option<u64>) -> Option<String> {
    limit.filter(|value| *value != 0).map(|value| value.to_string())
}

fn weight(weight: Option<u16>) -> Option<String> {
    number(weight.map(u64::from))
}

fn text(value: &Option<String>) -> Option<String> {
    value.clone().filter(|text| !text.is_empty())
}

/// Returns the limit of memory and swap together: twice the memory where it is not said.
fn swap_and_memory(resources: &Resources) -> Option<String> {
    let memory = resources.memory_bytes.filter(|bytes| *bytes != 0);
    match (resources.memory_swap_bytes.filter(|bytes| *bytes != 0), memory) {
        (Some(bytes), _) => Some(bytes.max(-1).to_string()),
        (None, Some(memory)) => Some(memory.saturating_mul(2).min(i64::MAX as u64).to_string()),
        (None, None) => None,
    }
}

/// Returns the limit of swap alone, which version 2 counts apart.
fn swap_alone(resources: &Resources) -> Option<String> {
    let memory = resources.memory_bytes.filter(|bytes| *bytes != 0);
    match (resources.memory_swap_bytes.filter(|bytes| *bytes != 0), memory) {
        (Some(both), _) if both < 0 => Some("max".to_owned()),
        (Some(both), Some(memory)) => Some(both.unsigned_abs().saturating_sub(memory).to_string()),
        (None, Some(memory)) => Some(memory.to_string()),
        (_, None) => None,
    }
}

/// Returns the CPU time per period.
fn quota_us(resources: &Resources) -> Option<i64> {
    match resources.nano_cpus.filter(|nanos| *nanos != 0) {
        Some(nanos) => {
            let quota = u64::try_from(u128::from(nanos) * u128::from(PERIOD_US) / 1_000_000_000);
            let quota = quota.unwrap_or(u64::MAX).clamp(QUOTA_US_MIN, i64::MAX as u64);
            Some(i64::try_from(quota).unwrap_or(i64::MAX))
        }
        None => resources.cpu_quota_us.filter(|quota| *quota != 0),
    }
}

fn period_us(resources: &Resources) -> Option<u64> {
    match resources.nano_cpus.filter(|nanos| *nanos != 0) {
        Some(_) => Some(PERIOD_US),
        None => resources.cpu_period_us.filter(|period| *period != 0),
    }
}

fn cpu_max(resources: &Resources) -> Option<String> {
    let (quota, period) = (quota_us(resources), period_us(resources));
    if quota.is_none() && period.is_none() {
        return None;
    }
    let quota = quota.filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
    Some(format!("{quota} {}", period.unwrap_or(PERIOD_US)))
}

/// Maps the shares of version 1, 2 to 262144, onto the weights of version 2, 1 to 10000.
fn cpu_weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

/// Maps the weights of version 1, 10 to 1000, onto those of version 2, 1 to 10000.
fn io_weight(weight: &u16) -> u16 {
    let weight = u32::from(*weight).clamp(10, 1_000);
    u16::try_from(1 + (weight - 10) * 9_999 / 990).unwrap_or(10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `file=value` for each value that is set.
    fn shown(settings: Vec<Setting>) -> String {
        let set = settings.into_iter().filter_map(|s| s.value.map(|value| format!("{}={value}", s.files[0])));
        set.collect::<Vec<_>>().join(", ")
    }

    fn check(resources: Resources, in_version_1: &str, in_version_2: &str) {
        assert_eq!(shown(version_1(&resources)), in_version_1);
        assert_eq!(shown(version_2(&resources)), in_version_2);
    }

    const MEMORY: u64 = 64 << 20;

    #[test]
    fn nothing_is_said_where_nothing_is_limited() {
        check(Resources::default(), "", "");
        let zeros =
            Resources { memory_bytes: Some(0), cpu_shares: Some(0), pids: Some(0), ..Resources::default() };
        check(zeros, "", "");
    }

    #[test]
    fn swap_is_twice_the_memory_unless_said() {
        let with = |memory_swap_bytes| Resources {
            memory_bytes: Some(MEMORY),
            memory_swap_bytes,
            ..Resources::default()
        };
        check(
            with(None),
            "memory.limit_in_bytes=67108864, memory.memsw.limit_in_bytes=134217728",
            "memory.max=67108864, memory.swap.max=67108864",
        );
        check(
            with(Some(-1)),
            "memory.limit_in_bytes=67108864, memory.memsw.limit_in_bytes=-1",
            "memory.max=67108864, memory.swap.max=max",
        );
        check(
            with(Some(100 << 20)),
            "memory.limit_in_bytes=67108864, memory.memsw.limit_in_bytes=104857600",
            "memory.max=67108864, memory.swap.max=37748736",
        );
    }

    #[test]
    fn memory_is_reserved_and_kept_from_the_killer() {
        let resources = Resources {
            memory_reservation_bytes: Some(MEMORY),
            memory_swappiness: Some(0),
            oom_kill_disable: true,
            ..Resources::default()
        };
        check(
            resources,
            "memory.soft_limit_in_bytes=67108864, memory.swappiness=0, memory.oom_control=1",
            "memory.low=67108864",
        );
    }

    #[test]
    fn cpu_time_is_a_quota_per_period() {
        let nanos = |nano_cpus| Resources {
            nano_cpus: Some(nano_cpus),
            cpu_quota_us: Some(7),
            ..Resources::default()
        };
        check(
            nanos(1_500_000_000),
            "cpu.cfs_period_us=100000, cpu.cfs_quota_us=150000",
            "cpu.max=150000 100000",
        );
        check(nanos(1), "cpu.cfs_period_us=100000, cpu.cfs_quota_us=1000", "cpu.max=1000 100000");

        let quota =
            |cpu_quota_us, cpu_period_us| Resources { cpu_quota_us, cpu_period_us, ..Resources::default() };
        check(
            quota(Some(5000), Some(20000)),
            "cpu.cfs_period_us=20000, cpu.cfs_quota_us=5000",
            "cpu.max=5000 20000",
        );
        check(quota(Some(5000), None), "cpu.cfs_quota_us=5000", "cpu.max=5000 100000");
        check(quota(Some(-1), None), "cpu.cfs_quota_us=-1", "cpu.max=max 100000");
        check(quota(None, Some(20000)), "cpu.cfs_period_us=20000", "cpu.max=max 20000");
    }

    #[test]
    fn weights_are_mapped() {
        let weights =
            |cpu_shares, blkio_weight| Resources { cpu_shares, blkio_weight, ..Resources::default() };
        check(
            weights(Some(1024), Some(500)),
            "cpu.shares=1024, blkio.weight=500",
            "cpu.weight=39, io.bfq.weight=500, io.weight=4950",
        );
        let of = |shares: &[u64]| shares.iter().map(|shares| cpu_weight(*shares)).collect::<Vec<_>>();
        assert_eq!(of(&[1, 2, 262_144, u64::MAX]), [1, 1, 10_000, 10_000]);
        assert_eq!([10, 1000, 5].map(|weight| io_weight(&weight)), [1, 10_000, 1]);
    }

    #[test]
    fn cpus_memory_nodes_and_processes_are_named_alike() {
        let resources = Resources {
            cpuset_cpus: Some("0-1".into()),
            cpuset_mems: Some("0".into()),
            pids: Some(7),
            ..Resources::default()
        };
        let both = "cpuset.cpus=0-1, cpuset.mems=0, pids.max=7";
        check(resources, both, both);
    }

    #[test]
    fn limits_that_bound_each_other_are_set_in_either_order() {
        let dir = tempfile::tempdir().unwrap();
        // A directory cannot be written to: it stands for a refusal.
        let path = dir.path().join("memory.max");
        fs::create_dir(&path).unwrap();
        fs::write(dir.path().join("pids.max"), "").unwrap();
        let limit = Setting::required("memory", &["memory.max"], Some("1".into()));
        let other = Setting::required("memory", &["memory.gone"], None);

        let refused = set_all(dir.path(), [&limit].into_iter(), Moment::Living).unwrap_err();
        let retried = set_all(dir.path(), [&limit, &other].into_iter(), Moment::Living).unwrap_err();

        assert!(refused.starts_with("write 1 to ") && refused.contains("memory.max"), "{refused}");
        assert_eq!(refused, retried);
    }
}
