//! The whole service of one instance, put together.

use std::sync::{Arc, Mutex};

use crate::auth::Authenticator;
use crate::base::instance::Instance;
use crate::base::world::World;
use crate::engine::plan::watched::Watched;
use crate::engine::{self, Engine};
use crate::firestore::Firestore;
use crate::firestore::ramp::Ramp;
use crate::google::Google;
use crate::ledger::Ledger;
use crate::ledger::coverage::Coverage;
use crate::notify::Notifier;
use crate::ops::{self, Ops};
use crate::provider::activity::ConnectionBook;
use crate::provider::breakers::Breakers;
use crate::settings::Config;

/// Everything an instance holds; whatever must outlive it is in Firestore.
pub struct App {
    pub config: Config,
    pub engine: Engine,
    pub ops: Ops,
    pub notifier: Notifier,
    pub auth: Authenticator,
}

impl App {
    pub fn new(config: Config, world: World, instance: Instance) -> Self {
        let google = Arc::new(Google::new(world.clone(), config.google.clone(), config.credentials.clone()));
        let backoff = config.call.backoff;
        let firestore = Firestore::new(config.firestore.clone(), google.clone(), world.clone(), backoff);
        let ledger = Ledger::new(&firestore, world.clone(), config.collections.clone(), config.run);
        let breakers = Breakers::new(
            &firestore,
            world.clone(),
            config.collections.breakers.clone(),
            config.breaker,
            config.run.lease,
            config.call.limit_window,
        );
        let coverage = Coverage::new(firestore.clone(), world.clone(), config.collections.coverage.clone());
        let activity = Arc::<ConnectionBook>::default();
        let engine = Engine {
            settings: engine::Settings {
                call: config.call,
                run: config.run,
                collections: config.collections.clone(),
                providers: config.providers.clone(),
                ticks: config.ticks.clone(),
            },
            world: world.clone(),
            firestore: firestore.clone(),
            ledger: ledger.clone(),
            breakers: breakers.clone(),
            coverage: coverage.clone(),
            watched: Watched::default(),
            watch: engine::watch::Remembered::default(),
            google: google.clone(),
            activity: activity.clone(),
            ramp: config.firestore.ramp.map(|ramp| Arc::new(Mutex::new(Ramp::new(ramp)))),
        };
        let settings = ops::Settings {
            alerts: config.alerts.clone(),
            ticks: config.ticks.clone(),
            call: config.call,
            run: config.run,
            collections: config.collections.clone(),
            providers: config.providers.clone(),
            probe_interval: config.probe_interval,
            project: config.firestore.project.clone(),
            database: config.firestore.database.clone(),
        };
        let notifier = Notifier::new(
            config.notify.clone(),
            world.clone(),
            &firestore,
            config.collections.alerts.clone(),
            config.run.deadline,
        );
        let auth = Authenticator::new(world.clone(), config.auth.clone());
        let ops =
            Ops::new(settings, world, instance, firestore, ledger, coverage, breakers, google, activity);
        Self { config, engine, ops, notifier, auth }
    }
}
