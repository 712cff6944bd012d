//! What a turn costs at 10 thousand and at 1 million ready rows: `cargo run -p gatepost-store --example depth`.
//!
//! Prints the median time of a turn that finishes 100 tasks and claims 100, at each depth, and their ratio
//! (queue 4.8 asks for less than 3). Makes its databases in a temporary folder of the current one.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use gatepost_store as store;
use notice::{GatewayId, ModuleName, Ms, Route};
use rusqlite::Connection;
use std::time::{Duration, Instant};
use store::sqlite::{Options, Order, create};
use store::{Demand, Done, Durability, Lease, Owner, Pool, Settlement};

const TURNS: usize = 200;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let (shallow, deep) = (median_turn(10_000 + 100 * TURNS)?, median_turn(1_000_000)?);
    let ratio = deep.as_secs_f64() / shallow.as_secs_f64();
    println!("10 thousand rows: {shallow:?} a turn of 100");
    println!(" 1 million rows:  {deep:?} a turn of 100");
    println!("ratio {ratio:.2}");
    Ok(())
}

fn median_turn(rows: usize) -> Result<Duration, Failure> {
    let folder = tempfile::tempdir_in(".")?;
    let path = folder.path().join("gatepost.db");
    let mut store = create(&path, Order::Ageing, Options::default())?;
    Connection::open(&path)?.execute_batch(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows})
         INSERT INTO notifytask(modulename,lane,queued_ms,ready_ms) SELECT 'ntemail','p1',i,i FROM n"
    ))?;
    let owner = Owner("w1".to_owned());
    let want = [Demand {
        module: ModuleName::new(ModuleName::EMAIL)?,
        pool: Pool::Route(Route::from_column("p1".to_owned())),
        gateway: Some(GatewayId(1)),
        count: 100,
        forced_only: false,
        lease_until: Ms(60_000),
        ceiling: None,
    }];
    let mut times = Vec::with_capacity(TURNS);
    let mut held: Vec<Lease> = Vec::new();
    for _ in 0..TURNS {
        let done: Vec<Done> = held.iter().map(|lease| sent(*lease)).collect();
        let start = Instant::now();
        let turn =
            store::write(&mut store, Durability::Crash, |tx| tx.turn(&owner, &done, &want, Ms(1)))
                .map_err(|error: store::StoreError| error)?;
        times.push(start.elapsed());
        held = turn.claimed.iter().map(|one| one.lease).collect();
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn sent(lease: Lease) -> Done {
    let (reason, effects) = (String::new(), Vec::new());
    Done { lease, settlement: Settlement::Gone, reason, log: None, effects }
}
