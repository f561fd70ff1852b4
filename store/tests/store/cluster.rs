//! The PostgreSQL of these tests and benchmarks: started when it is first asked for, gone when the process ends.

use std::net::TcpListener;
use std::sync::OnceLock;

use tidemill_postgres::Cluster;

/// It keeps what was committed, as one in production does: benchmarks measure that.
const SETTINGS: &str = "-c listen_addresses=127.0.0.1 -c max_connections=200 -c shared_buffers=256MB \
                        -c max_wal_size=4GB -c fsync=on -c synchronous_commit=on";

/// The one server of this process.
pub(crate) fn here() -> &'static Cluster {
    static HERE: OnceLock<Cluster> = OnceLock::new();
    HERE.get_or_init(|| {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        Cluster::start(free.expect("a port").port(), SETTINGS)
    })
}
