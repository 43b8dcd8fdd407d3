//! One job's targets: what its sources found, what relabelling made of that, and a task for each.

use super::discovery::{Discovery, Group};
use super::job::Job;
use super::runner::{Order, Plan, Shared, run};
use super::target::{ActiveTarget, DroppedTarget, Populated, TargetSpec, TargetState, Targets, populate};
use model::Labels;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Dropped targets that are kept to be shown; the rest are counted.
pub const DROPPED_TARGETS_MAX: usize = 1_000;

/// The targets of one job.
pub(super) struct Pool {
    job: Arc<Job>,
    /// Per source what it found; `None` until it answered for the first time.
    found: Vec<Option<Vec<Group>>>,
    active: HashMap<(Labels, String), Active>,
    dropped: Vec<BTreeMap<String, String>>,
    dropped_count: usize,
}

struct Active {
    plan: Arc<Plan>,
    orders: watch::Sender<Order>,
    state: Arc<TargetState>,
}

impl Pool {
    pub(super) fn new(job: Arc<Job>, shared: &Arc<Shared>, tasks: &TaskTracker) -> Self {
        let found = fixed(&job);
        let mut pool = Self { job, found, active: HashMap::new(), dropped: Vec::new(), dropped_count: 0 };
        pool.settle(shared, tasks);
        pool
    }

    /// Whether it runs exactly this job already.
    pub(super) fn runs(&self, job: &Job) -> bool {
        let (old, new) = (&self.job, job);
        old.config == new.config
            && (old.interval, old.timeout, old.limits) == (new.interval, new.timeout, new.limits)
            && old.accept == new.accept
            && (old.native_histograms, old.classic_histograms)
                == (new.native_histograms, new.classic_histograms)
    }

    /// Goes on with another configuration; targets stay until every source has answered.
    pub(super) fn change(&mut self, job: Arc<Job>, shared: &Arc<Shared>, tasks: &TaskTracker) {
        self.found = fixed(&job);
        self.job = job;
        self.settle(shared, tasks);
    }

    /// Takes what source `source` of `job` found.
    pub(super) fn found(
        &mut self,
        job: &Arc<Job>,
        source: usize,
        groups: Vec<Group>,
        shared: &Arc<Shared>,
        tasks: &TaskTracker,
    ) {
        if !Arc::ptr_eq(job, &self.job) {
            return;
        }
        let Some(place) = self.found.get_mut(source) else { return };
        if place.as_ref() != Some(&groups) {
            *place = Some(groups);
            self.settle(shared, tasks);
        }
    }

    /// Ends all targets and their series.
    pub(super) fn vanish(self) {
        for active in self.active.into_values() {
            let _ = active.orders.send(Order::Vanish);
        }
    }

    /// Ends all targets; their series go on elsewhere.
    pub(super) fn stop(self) {
        for active in self.active.into_values() {
            let _ = active.orders.send(Order::Stop);
        }
    }

    pub(super) fn list(&self, targets: &mut Targets) {
        let name = &self.job.config.job_name;
        let first = targets.active.len();
        for active in self.active.values() {
            targets.active.push(ActiveTarget::of(name, &active.plan.spec, &active.state.lock()));
        }
        if let Some(own) = targets.active.get_mut(first..) {
            own.sort_by(|a, b| (&a.url, &a.labels).cmp(&(&b.url, &b.labels)));
        }
        let dropped = self.dropped.iter().cloned();
        targets.dropped.extend(dropped.map(|discovered| DroppedTarget { discovered, pool: name.clone() }));
        targets.dropped_counts.insert(name.clone(), self.dropped_count);
    }

    /// Makes the running targets those that the sources and rules say.
    fn settle(&mut self, shared: &Arc<Shared>, tasks: &TaskTracker) {
        let specs = self.specs();
        let limit = self.job.limits.targets;
        let forced_error = (limit > 0 && specs.len() as u64 > limit)
            .then(|| format!("target_limit exceeded (number of targets: {}, limit: {limit})", specs.len()));
        if self.found.iter().all(Option::is_some) {
            for (_, gone) in self.active.extract_if(|identity, _| !specs.contains_key(identity)) {
                let _ = gone.orders.send(Order::Vanish);
            }
        }
        for (identity, spec) in specs {
            let plan = Plan { job: self.job.clone(), spec, forced_error: forced_error.clone() };
            self.place(identity, plan, shared, tasks);
        }
    }

    fn place(&mut self, identity: (Labels, String), plan: Plan, shared: &Arc<Shared>, tasks: &TaskTracker) {
        if let Some(active) = self.active.get_mut(&identity) {
            let old = &active.plan;
            let same = Arc::ptr_eq(&old.job, &plan.job)
                && old.spec == plan.spec
                && old.forced_error == plan.forced_error;
            if !same {
                active.plan = Arc::new(plan);
                let _ = active.orders.send(Order::Run(active.plan.clone()));
            }
            return;
        }
        let plan = Arc::new(plan);
        let state = Arc::new(TargetState::default());
        let (orders, receiver) = watch::channel(Order::Run(plan.clone()));
        let work = tasks.track_future(run(shared.clone(), state.clone(), receiver));
        drop(platform::task::spawn("scrape", work));
        self.active.insert(identity, Active { plan, orders, state });
    }

    fn specs(&mut self) -> HashMap<(Labels, String), TargetSpec> {
        let mut specs = HashMap::new();
        (self.dropped, self.dropped_count) = (Vec::new(), 0);
        for group in self.found.iter().flatten().flatten() {
            for own in &group.targets {
                match populate(&self.job, own, &group.labels) {
                    Ok(Populated::Target(spec)) => {
                        specs.entry(spec.identity()).or_insert(*spec);
                    }
                    Ok(Populated::Dropped(labels)) => {
                        self.dropped_count += 1;
                        if self.dropped.len() < DROPPED_TARGETS_MAX {
                            self.dropped.push(labels);
                        }
                    }
                    Err(error) => {
                        tracing::warn!(job = self.job.config.job_name, target = ?own, error, "cannot scrape a target");
                    }
                }
            }
        }
        specs
    }
}

/// What is known before any source was asked.
fn fixed(job: &Job) -> Vec<Option<Vec<Group>>> {
    let known = |discovery: &Discovery| match discovery {
        Discovery::Static(groups) => Some(groups.clone()),
        _ => None,
    };
    job.discoveries.iter().map(known).collect()
}
