//! The hardware address that a client wants for a container.

use container_json::{Config, NetworkingConfig};
use network::Mac;

use crate::Error;

/// Returns the address, if one is asked for.
pub fn mac_wanted(config: &Config, networking: &NetworkingConfig) -> Result<Option<Mac>, Error> {
    let settings = networking.endpoints_config.values().map(|settings| &settings.mac_address);
    let written = settings.chain([&config.mac_address]).find(|written| !written.is_empty());
    let Some(written) = written else { return Ok(None) };
    let refuse = || Error::invalid(format!("invalid MAC address: {written}"));
    let bytes: Option<Vec<u8>> = written
        .split([':', '-'])
        .map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2))
        .collect();
    let mac: Mac = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(refuse)?;
    // Of one host alone, and not all of them.
    if mac[0] & 1 == 1 || mac == [0; 6] { Err(refuse()) } else { Ok(Some(mac)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_are_read() {
        for (written, mac) in [
            ("", Ok(None)),
            ("02:42:0a:00:00:05", Ok(Some([2, 0x42, 10, 0, 0, 5]))),
            ("02-42-0A-00-00-05", Ok(Some([2, 0x42, 10, 0, 0, 5]))),
            ("02:42:0a:00:00", Err("invalid MAC address: 02:42:0a:00:00")),
            ("01:42:0a:00:00:05", Err("invalid MAC address: 01:42:0a:00:00:05")),
            ("0x:42:0a:00:00:05", Err("invalid MAC address: 0x:42:0a:00:00:05")),
        ] {
            let config = Config { mac_address: written.into(), ..Config::default() };

            assert_eq!(
                mac_wanted(&config, &NetworkingConfig::default()).map_err(|error| error.text().to_owned()),
                mac.map_err(str::to_owned)
            );
        }
    }
}
