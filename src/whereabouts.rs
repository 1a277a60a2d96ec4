//! Where a follower is: as a trusted proxy says it, or as the operator's GeoIP file knows its address.

use http::{HeaderMap, HeaderName, header::REFERER};
use maxminddb::{Reader, geoip2};
use parking_lot::Mutex;
use std::{net::IpAddr, path::Path};
use streamgauge_core::{
    metric::{
        fallback::Routes,
        region::{Network, Region, Regions, client_address, normal},
    },
    settings::config::Settings,
};

pub struct Whereabouts {
    pub regions: Regions,
    routes: Mutex<Routes>,
    header: Option<HeaderName>,
    proxies: Vec<Network>,
    countries: Option<Reader<Vec<u8>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("geoip_file is {0:?}, but must be a readable MaxMind DB file: {1}.")]
pub struct NoGeoip(String, maxminddb::MaxMindDbError);

impl Whereabouts {
    pub fn new(settings: &Settings) -> Result<Whereabouts, NoGeoip> {
        let read = |path: &Path| {
            Reader::open_readfile(path).map_err(|error| NoGeoip(path.display().to_string(), error))
        };
        // Demo traffic says where it is; on loopback it is its own proxy.
        let header =
            settings.region_header.as_deref().or(settings.demo.then_some(crate::demo::REGION_HEADER));
        Ok(Whereabouts {
            regions: Regions::default(),
            routes: Mutex::default(),
            header: header.and_then(|name| name.parse().ok()),
            proxies: settings.trusted_proxies.clone(),
            countries: settings.geoip_file.as_deref().map(read).transpose()?,
        })
    }

    /// `peer`: the connection's other end.
    pub fn region(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Region {
        let Some(peer) = peer else { return Region::UNKNOWN };
        self.name(headers, peer).map_or(Region::UNKNOWN, |name| self.regions.of(&name))
    }

    /// Of the page that sent this.
    pub fn page_route(&self, headers: &HeaderMap) -> String {
        let referer = headers.get(REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.routes.lock().of(referer)
    }

    fn name(&self, headers: &HeaderMap, peer: IpAddr) -> Option<String> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(header) = &self.header
            && self.proxies.iter().any(|network| network.holds(peer))
            && let Some(region) = text(header).and_then(normal)
        {
            return Some(region);
        }
        let forwarded = text(&HeaderName::from_static("x-forwarded-for")).unwrap_or_default();
        let address = client_address(peer, forwarded, &self.proxies);
        // A listener on `[::]` sees IPv4 as `::ffff:a.b.c.d`, which not every file knows.
        let found = self
            .countries
            .as_ref()?
            .lookup(address.to_canonical())
            .ok()?
            .decode::<geoip2::Country>()
            .ok()??;
        normal(found.country.iso_code?)
    }
}
