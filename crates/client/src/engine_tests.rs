use engine_json::Channel;
use serde_json::json;

use super::*;
use crate::fake;

#[tokio::test]
async fn a_hijacked_connection_carries_both_directions_and_half_closes() {
    let folder = tempfile::tempdir().unwrap();
    let mut answers = fake::answers([]);
    answers.insert("POST /containers/a/attach".into(), (101, json!("out")));

    let outcome = fake::run(folder.path(), answers, "", async |context| {
        let mut streams = context.engine.hijack(Route::new("/containers/a/attach"), None::<&()>).await?;
        streams.input.write(b"typed").await?;
        streams.input.close().await?;
        while let Some((channel, piece)) = streams.output.next().await? {
            assert_eq!(channel, Channel::Stdout);
            context.console.write_bytes(&piece)?;
        }
        Ok(())
    })
    .await;

    assert_eq!((outcome.out.as_str(), outcome.err.as_str(), outcome.code), ("out", "", 0));
    assert_eq!(outcome.requests[1], ("STDIN /containers/a/attach".into(), json!("typed")));
}

#[tokio::test]
async fn a_refused_hijack_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut answers = fake::answers([]);
    answers.insert("POST /containers/a/attach".into(), (409, json!({"message": "it is paused"})));

    let outcome = fake::run(folder.path(), answers, "", async |context| {
        context.engine.hijack(Route::new("/containers/a/attach"), None::<&()>).await?;
        Ok(())
    })
    .await;

    assert_eq!((outcome.err.as_str(), outcome.code), ("Error response from daemon: it is paused\n", 1));
}

#[tokio::test]
async fn what_is_already_so_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut answers = fake::answers([]);
    answers.insert("POST /containers/a/stop".into(), (304, json!("")));

    let outcome = fake::run(folder.path(), answers, "", async |context| {
        Ok(context.engine.act(Route::new("/containers/a/stop")).await.map(drop)?)
    })
    .await;

    assert_eq!(outcome.code, 0, "{}", outcome.err);
}
