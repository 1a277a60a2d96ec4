//! Where a region lies on the map, as far as its name says it: countries by ISO 3166 code, clouds by their regions.

/// Degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub north: f64,
    pub east: f64,
}

/// The middle of each country's largest part, computed from Natural Earth's outlines (public domain): code, north, east.
const COUNTRIES: &str = include_str!("countries.txt");

/// Names that clouds and operators give to parts of the world.
const PARTS: &[(&str, f64, f64)] = &[
    ("eu-central", 50.1, 8.7),
    ("eu-west", 53.3, -6.3),
    ("eu-north", 59.3, 18.1),
    ("eu-south", 45.5, 9.2),
    ("eu-east", 52.2, 21.0),
    ("us-east", 39.0, -77.5),
    ("us-west", 45.6, -121.2),
    ("us-central", 41.3, -95.9),
    ("us-south", 32.8, -96.8),
    ("us-north", 41.9, -87.6),
    ("ca-central", 45.5, -73.6),
    ("ca-west", 51.0, -114.1),
    ("northamerica-northeast", 45.5, -73.6),
    ("northamerica-south", 20.6, -100.4),
    ("mx-central", 20.6, -100.4),
    ("sa-east", -23.5, -46.6),
    ("sa-west", -33.4, -70.7),
    ("southamerica-east", -23.5, -46.6),
    ("southamerica-west", -33.4, -70.7),
    ("ap-south", 19.1, 72.9),
    ("ap-southeast", 1.3, 103.8),
    ("ap-northeast", 35.7, 139.7),
    ("ap-east", 22.3, 114.2),
    ("asia-south", 19.1, 72.9),
    ("asia-southeast", 1.3, 103.8),
    ("asia-northeast", 35.7, 139.7),
    ("asia-east", 24.1, 120.7),
    ("australia-southeast", -33.9, 151.2),
    ("au-east", -33.9, 151.2),
    ("af-south", -33.9, 18.4),
    ("africa-south", -26.2, 28.0),
    ("me-south", 26.2, 50.6),
    ("me-central", 25.3, 55.3),
    ("me-west", 32.1, 34.8),
    ("il-central", 32.1, 34.8),
    ("europe-west", 50.4, 3.8),
    ("europe-north", 60.6, 27.2),
    ("europe-central", 52.2, 21.0),
    ("europe-southwest", 40.4, -3.7),
    ("cn-north", 39.9, 116.4),
    ("cn-east", 31.2, 121.5),
];

/// `None`: the name says no place; the region then stands in the table alone.
pub fn place(region: &str) -> Option<Place> {
    if region.len() == 2 {
        let code = region.to_ascii_uppercase();
        return COUNTRIES.lines().find_map(|line| {
            let mut words = line.split(' ');
            (words.next()? == code).then(|| {
                Some(Place { north: words.next()?.parse().ok()?, east: words.next()?.parse().ok()? })
            })?
        });
    }
    // `eu-central-1`, `europe-west4` and `us-east-1a` lie where `eu-central`, `europe-west` and `us-east` do.
    let stem = region
        .trim_end_matches(|c: char| c.is_ascii_alphabetic() && region.contains(|d: char| d.is_ascii_digit()));
    let stem = if stem.is_empty() { region } else { stem };
    let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    let stem = if stem.is_empty() { region } else { stem };
    let part = PARTS.iter().find(|(name, ..)| *name == stem)?;
    Some(Place { north: part.1, east: part.2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_where_they_should() {
        let check = |region, expected: Option<(f64, f64)>| {
            let found = place(region).map(|place| (place.north.round(), place.east.round()));
            assert_eq!(found, expected, "{region}");
        };
        check("de", Some((51.0, 10.0)));
        check("FR", Some((47.0, 3.0)));
        check("eu-central", Some((50.0, 9.0)));
        check("eu-central-1", Some((50.0, 9.0)));
        check("us-east-1a", Some((39.0, -78.0)));
        check("europe-west4", Some((50.0, 4.0)));
        check("qq", None);
        check("office", None);
        check("1", None);
    }
}
