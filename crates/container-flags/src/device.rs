//! Devices, and how fast they may be used.

use clap::Args;
use container_json::{DeviceMapping, DeviceRequest, Resources, ThrottleDevice, WeightDevice};
use flags::text::{commas, pair};
use flags::{Invalid, Result, refuse};
use format::size;

use crate::text::number;

/// Flags of devices.
#[derive(Debug, Args)]
pub(crate) struct DeviceFlags {
    /// The weight of one disk, `DEVICE:WEIGHT`
    #[arg(long, value_name = "DEVICE:WEIGHT", value_parser = weight)]
    blkio_weight_device: Vec<WeightDevice>,
    /// A device of the host, `DEVICE[:INSIDE][:rwm]`
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// A rule for devices, such as `c 13:* rwm`
    #[arg(long, value_name = "RULE", value_parser = rule)]
    device_cgroup_rule: Vec<String>,
    /// Bytes per second read from a disk, `DEVICE:BYTES`
    #[arg(long, value_name = "DEVICE:BYTES", value_parser = bytes_rate)]
    device_read_bps: Vec<ThrottleDevice>,
    /// Reads per second from a disk, `DEVICE:COUNT`
    #[arg(long, value_name = "DEVICE:COUNT", value_parser = count_rate)]
    device_read_iops: Vec<ThrottleDevice>,
    /// Bytes per second written to a disk, `DEVICE:BYTES`
    #[arg(long, value_name = "DEVICE:BYTES", value_parser = bytes_rate)]
    device_write_bps: Vec<ThrottleDevice>,
    /// Writes per second to a disk, `DEVICE:COUNT`
    #[arg(long, value_name = "DEVICE:COUNT", value_parser = count_rate)]
    device_write_iops: Vec<ThrottleDevice>,
    /// Devices of a driver, `all`, a number, or `count=,device=,driver=,capabilities=,options=`
    #[arg(long, value_name = "DEVICES", value_parser = gpus)]
    gpus: Vec<DeviceRequest>,
}

impl DeviceFlags {
    /// Writes what is given into limits.
    pub(crate) fn apply(&self, resources: &mut Resources) -> Result<()> {
        resources.blkio_weight_device = self.blkio_weight_device.clone();
        resources.device_cgroup_rules = self.device_cgroup_rule.clone();
        resources.blkio_device_read_bps = self.device_read_bps.clone();
        resources.blkio_device_read_iops = self.device_read_iops.clone();
        resources.blkio_device_write_bps = self.device_write_bps.clone();
        resources.blkio_device_write_iops = self.device_write_iops.clone();
        resources.device_requests = self.gpus.clone();
        let (named, paths): (Vec<&String>, Vec<&String>) =
            self.device.iter().partition(|device| is_name_of_driver(device));
        resources.devices = paths.into_iter().map(|device| mapping(device)).collect::<Result<_>>()?;
        if !named.is_empty() {
            let device_ids = named.into_iter().cloned().collect();
            let driver = "cdi".to_owned();
            resources.device_requests.push(DeviceRequest { driver, device_ids, ..DeviceRequest::default() });
        }
        Ok(())
    }
}

/// Claims that a device is `VENDOR/CLASS=NAME`, which a driver resolves, and no path.
fn is_name_of_driver(text: &str) -> bool {
    !text.starts_with('/')
        && text
            .split_once('/')
            .is_some_and(|(_, rest)| rest.split_once('=').is_some_and(|(_, name)| !name.is_empty()))
}

/// Reads `DEVICE[:INSIDE][:rwm]`.
fn mapping(text: &str) -> Result<DeviceMapping> {
    let is_mode = |mode: &str| {
        !mode.is_empty()
            && mode.chars().all(|c| "rwm".contains(c))
            && mode.chars().enumerate().all(|(at, c)| mode.find(c) == Some(at))
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (outside, inside, mode) = match parts.as_slice() {
        [outside] if !outside.is_empty() => (*outside, *outside, "rwm"),
        [outside, mode] if is_mode(mode) => (*outside, *outside, *mode),
        [outside, inside] => (*outside, *inside, "rwm"),
        [outside, inside, mode] if is_mode(mode) => (*outside, *inside, *mode),
        [_, _, mode] => return refuse(format!("bad mode specified: {mode}")),
        _ => return refuse(format!("bad format for path: {text}")),
    };
    if let Some(path) = [outside, inside].into_iter().find(|path| !path.starts_with('/')) {
        return refuse(format!("{path} is not an absolute path"));
    }
    Ok(DeviceMapping {
        path_on_host: outside.to_owned(),
        path_in_container: inside.to_owned(),
        cgroup_permissions: mode.to_owned(),
    })
}

/// Reads `TYPE MAJOR:MINOR ACCESS`.
fn rule(text: &str) -> Result<String> {
    let is_number =
        |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let is_rule = match text.split(' ').collect::<Vec<_>>().as_slice() {
        [kind, numbers, access] => {
            let numbers = numbers.split_once(':');
            ["a", "b", "c"].contains(kind)
                && numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
                && (1..=3).contains(&access.len())
                && access.chars().all(|c| "rwm".contains(c))
        }
        _ => false,
    };
    if is_rule { Ok(text.to_owned()) } else { refuse(format!("invalid device cgroup format '{text}'")) }
}

fn device_and_figure(text: &str) -> Result<(&str, &str)> {
    let Some((path, figure)) = text.split_once(':').filter(|(path, _)| !path.is_empty()) else {
        return refuse(format!("bad format: {text}"));
    };
    if !path.starts_with("/dev/") {
        return refuse(format!("bad format for device path: {text}"));
    }
    Ok((path, figure))
}

fn weight(text: &str) -> Result<WeightDevice> {
    let (path, figure) = device_and_figure(text)?;
    match figure.parse::<u16>() {
        Ok(weight) if weight == 0 || (10..=1000).contains(&weight) => {
            Ok(WeightDevice { path: path.to_owned(), weight })
        }
        _ => refuse(format!("invalid weight for device: {text}")),
    }
}

fn bytes_rate(text: &str) -> Result<ThrottleDevice> {
    let (path, figure) = device_and_figure(text)?;
    let rate = size::parse(figure).ok().and_then(|rate| u64::try_from(rate).ok());
    let format = "<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb";
    rated(text, path, rate, format)
}

fn count_rate(text: &str) -> Result<ThrottleDevice> {
    let (path, figure) = device_and_figure(text)?;
    rated(text, path, figure.parse().ok(), "<device-path>:<number>. Number must be a positive integer")
}

fn rated(text: &str, path: &str, rate: Option<u64>, format: &str) -> Result<ThrottleDevice> {
    let wrong =
        || Invalid::because(format!("invalid rate for device: {text}. The correct format is {format}"));
    Ok(ThrottleDevice { path: path.to_owned(), rate: rate.ok_or_else(wrong)? })
}

/// Reads `all`, a number, or `count=,device=,driver=,capabilities=,options=`.
fn gpus(text: &str) -> Result<DeviceRequest> {
    let mut request = DeviceRequest::default();
    let mut has_count = false;
    for field in commas(text)? {
        let (key, value) = field.split_once('=').unwrap_or(("count", &field));
        match key {
            "count" => {
                has_count = true;
                request.count = if value == "all" { -1 } else { number(value)? };
            }
            "device" => request.device_ids.extend(value.split(',').map(str::to_owned)),
            "driver" => request.driver = value.to_owned(),
            "capabilities" => {
                let mut capabilities: Vec<String> = value.split(',').map(str::to_owned).collect();
                capabilities.push("gpu".into());
                request.capabilities = vec![capabilities];
            }
            "options" => request.options.extend(commas(value)?.iter().map(|option| pair(option))),
            key => return refuse(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    if request.capabilities.is_empty() {
        request.capabilities = vec![vec!["gpu".into()]];
    }
    if !has_count && request.device_ids.is_empty() {
        request.count = 1;
    }
    Ok(request)
}
