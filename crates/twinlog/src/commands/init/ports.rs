//! Two ports for two servers on this machine.

use std::net::{Ipv4Addr, TcpListener};

/// Whether nothing listens there yet.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The ports of both nodes: those given as they are, otherwise the wanted ones or the next that are free. With them
/// what the user should know.
pub(super) fn choose(
    given: [Option<u16>; 2],
    wanted: [u16; 2],
    is_free: impl Fn(u16) -> bool,
) -> ([u16; 2], Vec<String>) {
    let mut ports = wanted;
    let mut notes = Vec::new();
    for index in 0..2 {
        if let Some(port) = given[index] {
            ports[index] = port;
            if !is_free(port) {
                notes.push(format!(
                    "warning: something listens on port {port} already; `twinlog up` will refuse while it does"
                ));
            }
            continue;
        }
        let other = if index == 0 { given[1] } else { Some(ports[0]) };
        let found = (wanted[index]..=u16::MAX).find(|&port| Some(port) != other && is_free(port));
        // Nothing free above: the wanted one stays, and `up` says what is in the way.
        ports[index] = found.unwrap_or(wanted[index]);
        if ports[index] != wanted[index] {
            notes.push(format!(
                "note: port {} is taken, so node {} gets {}",
                wanted[index],
                ["a", "b"][index],
                ports[index]
            ));
        }
    }
    (ports, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ports_are_passed_over_and_said() {
        let taken = |port: u16| ![3307, 3308].contains(&port);
        let (ports, notes) = choose([None, None], [3307, 3308], taken);
        assert_eq!(ports, [3309, 3310]);
        assert_eq!(
            notes,
            [
                "note: port 3307 is taken, so node a gets 3309",
                "note: port 3308 is taken, so node b gets 3310"
            ]
        );
    }

    #[test]
    fn given_ports_stand_and_are_not_given_twice() {
        let (ports, notes) = choose([None, Some(3307)], [3307, 3308], |port| port != 3307);
        assert_eq!(ports, [3308, 3307]);
        assert_eq!(notes.len(), 2);
        let (ports, notes) = choose([None, None], [3307, 3308], |_| true);
        assert_eq!((ports, notes.len()), ([3307, 3308], 0));
    }
}
