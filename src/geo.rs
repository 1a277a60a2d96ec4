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
    settings::table::Settings,
};

pub struct Geo {
    pub regions: Regions,
    routes: Mutex<Routes>,
    header: Option<HeaderName>,
    proxies: Vec<Network>,
    countries: Option<Reader<Vec<u8>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("geoip_file is {0:?}, but must be a readable MaxMind DB file: {1}.")]
pub struct NoGeoip(String, maxminddb::MaxMindDbError);

impl Geo {
    pub fn new(settings: &Settings) -> Result<Geo, NoGeoip> {
        let read = |path: &Path| {
            Reader::open_readfile(path).map_err(|error| NoGeoip(path.display().to_string(), error))
        };
        // Demo traffic says where it is; on loopback it is its own proxy.
        let header =
            settings.region_header.as_deref().or(settings.demo.then_some(crate::demo::REGION_HEADER));
        Ok(Geo {
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

    /// Whether a proxy at that address is believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.holds(peer))
    }

    /// The client's own address, as far as trusted proxies say it. Each line of `X-Forwarded-For` counts: what a client
    /// wrote into the first one must not hide what a proxy added in the next.
    pub fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let lines = headers.get_all("x-forwarded-for").iter();
        // A line that is no text ends the chain: no hop is left out.
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
        client_address(peer, &lines.join(","), &self.proxies)
    }

    /// Of the page that sent this.
    pub fn page_route(&self, headers: &HeaderMap) -> String {
        let referer = headers.get(REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.routes.lock().of(referer)
    }

    fn name(&self, headers: &HeaderMap, peer: IpAddr) -> Option<String> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(header) = &self.header
            && self.trusts(peer)
            && let Some(region) = text(header).and_then(normal)
        {
            return Some(region);
        }
        let countries = self.countries.as_ref()?;
        let address = self.client(headers, peer);
        // A listener on `[::]` sees IPv4 as `::ffff:a.b.c.d`, which not every file knows.
        let found = countries.lookup(address.to_canonical()).ok()?.decode::<geoip2::Country>().ok()??;
        normal(found.country.iso_code?)
    }
}
