//! A deployment per router, through the queue.

use pm_store::jobs::{self, Job, Level};
use pm_tasks::queue::{Catalogue, Origin, Spread, SpreadError, enqueue_each};
use pm_tasks::{AnyTask, Clock as _, NoSink, Sink, Tally, Watch, Worker};

use super::*;

/// The deployments that stand in job records, over the routers of a test.
struct OverFakes(Arc<Routers>);

impl Catalogue for OverFakes {
    fn read(&self, task: &str, arguments: &Json) -> Result<Box<dyn Task>, String> {
        assert_eq!(task, "configure_routers");
        let task: ConfigureRouters =
            serde_json::from_value(arguments.clone()).map_err(|error| error.to_string())?;
        Ok(Box::new(Over(task, Arc::clone(&self.0) as _)))
    }
}

struct Silent;

impl Watch for Silent {
    fn sink(&self, _: i64, _: &str) -> Arc<dyn Sink> {
        Arc::new(NoSink)
    }
    fn say(&self, _: Level, _: &str) {}
}

async fn ask(scene: &Scene, task: ConfigureRouters) -> Result<Spread, SpreadError> {
    let task = AnyTask::ConfigureRouters(ConfigureRouters { wait: true, ..task });
    enqueue_each(&scene.store, &scene.config, &task, Origin::COMMAND_LINE, scene.clock.now()).await
}

fn worker(scene: &Scene, concurrency: usize) -> Worker {
    Worker {
        runner: scene.runner(),
        catalogue: Arc::new(OverFakes(Arc::clone(&scene.routers))),
        watch: Arc::new(Silent),
        concurrency,
        queues: Vec::new(),
        once: true,
    }
}

async fn work(scene: &Scene) -> Tally {
    worker(scene, 1).run(CancellationToken::new()).await.unwrap()
}

async fn all_jobs(scene: &Scene, spread: &Spread) -> Vec<Job> {
    let mut all = Vec::new();
    for (_, queued) in &spread.queued {
        all.push(jobs::get(&scene.store, queued.job).await.unwrap().unwrap());
    }
    all
}

#[tokio::test]
async fn a_configuration_that_goes_wrong_keeps_the_other_routers_from_theirs() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        let first = ask(&scene, task()).await.unwrap();
        let names: Vec<&str> = first.queued.iter().map(|(router, _)| router.as_str()).collect();
        assert_eq!(names, EDGES);
        assert_eq!(first.left, [("bare".to_owned(), "it has no configuration template".to_owned())]);
        assert_eq!(work(&scene).await, Tally { completed: 3, ..Tally::default() });
        assert_eq!(scene.deployments().await.len(), 3);

        scene.sql("UPDATE devices_configuration SET template = template || 'timers 1 3\n'").await;
        for edge in EDGES {
            scene.routers.trouble(edge, Some(Trouble::SessionsDie));
        }
        let second = ask(&scene, task()).await.unwrap();
        assert_eq!(work(&scene).await, Tally { partial: 1, cancelled: 2, ..Tally::default() });
        let all = all_jobs(&scene, &second).await;
        let batch = all[0].batch.as_ref();
        assert!(batch.is_some() && all.iter().all(|job| job.batch.as_ref() == batch));
        assert!(first.queued[0].1.job != second.queued[0].1.job);
        let error = all[2].error.as_deref().unwrap();
        assert!(error.contains(&format!("it went wrong in job {}", all[0].id)), "{error}");
        assert_eq!(scene.deployments().await.len(), 4, "the others were not touched");

        // Who asks again means it; and a larger number lets more routers go wrong.
        scene.config.deploy_max_failures = 2;
        ask(&scene, task()).await.unwrap();
        assert_eq!(work(&scene).await, Tally { partial: 2, cancelled: 1, ..Tally::default() });
        scene.config.deploy_max_failures = 0;
        ask(&scene, task()).await.unwrap();
        assert_eq!(work(&scene).await, Tally { partial: 3, ..Tally::default() });
    })
    .await;
}

/// What is wrong with one router alone, such as that it does not answer, is no reason to stop.
#[tokio::test]
async fn a_router_that_is_away_stops_nobody() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        scene.routers.trouble("edge1", Some(Trouble::Dead));
        ask(&scene, task()).await.unwrap();
        assert_eq!(work(&scene).await, Tally { completed: 2, partial: 1, ..Tally::default() });
        let unknown = ask(&scene, only("edge1, edge9")).await.unwrap_err();
        assert!(matches!(&unknown, SpreadError::Unknown(text) if text.contains("edge9")), "{unknown}");
        assert_eq!(pm_store::queue::waiting(&store).await.unwrap(), 0);
    })
    .await;
}

/// A router that was cut off is waited for, and the harm is known long before that ends.
#[tokio::test]
async fn harm_stops_those_that_were_asked_for_together_as_soon_as_it_is_known() {
    each_engine(async |store| {
        fill(&store).await;
        let mut scene = Scene::new(&store);
        scene.config.commit_confirm_seconds = 600;
        let spread = ask(&scene, task()).await.unwrap();
        for edge in ["edge1", "edge2"] {
            scene.routers.trouble(edge, Some(Trouble::Pauses));
        }
        let worker = worker(&scene, 2);
        let working = tokio::spawn(async move { worker.run(CancellationToken::new()).await.unwrap() });
        let is_at_work = |edge: &str| scene.routers.of(edge).lock().unwrap().open_now > 0;
        soon(async || is_at_work("edge1") && is_at_work("edge2"), "two are at work").await;
        scene.routers.trouble("edge1", Some(Trouble::CutByCommit));
        let spoilt = "SELECT id FROM core_job WHERE spoilt AND status = 'running'";
        soon(async || store.row(spoilt, vec![]).await.unwrap().is_some(), "the harm is known").await;
        // The one that is at work has not committed, and the next one is not begun.
        scene.routers.trouble("edge2", None);
        let over = "SELECT id FROM core_job WHERE status = 'cancelled'";
        soon(async || store.row(over, vec![]).await.unwrap().is_some(), "no other is begun").await;
        assert_eq!((scene.routers.running("edge2"), scene.routers.running("edge3")), Default::default());
        scene.routers.of("edge1").lock().unwrap().time_is_over();
        assert_eq!(working.await.unwrap(), Tally { partial: 2, cancelled: 1, ..Tally::default() });
        let all = all_jobs(&scene, &spread).await;
        let second = all[1].data.clone().unwrap();
        assert_eq!(second["routers"][0]["verdict"], "not_begun", "{second}");
        let said = format!("it went wrong in job {}", all[0].id);
        assert!(second.to_string().contains(&said), "{second}");
        let third = all[2].error.as_deref().unwrap();
        assert!(third.contains(&said), "{third}");
    })
    .await;
}
