//! Passwords, tokens, and certificates.

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use registry::{Access, Auth, Config, Error, Repository, login};

use crate::fake::{Answer, Fake, answer};

const DOCUMENT: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

fn user(password: &str) -> Auth {
    Auth { username: "user".into(), password: password.into(), ..Auth::default() }
}

/// A registry whose authority is itself. The right password is `secret`, the right identity token `stamp`; a token is
/// named after the scopes it was given for, and holds for all of `team/web`.
async fn with_tokens(request: Request<Incoming>) -> Answer {
    let host = request.headers()["host"].to_str().unwrap().to_owned();
    let authorization =
        request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or("").to_owned());
    if path == "/token" {
        let form =
            String::from_utf8(request.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        // user:secret
        let is_known = authorization.as_deref() == Some("Basic dXNlcjpzZWNyZXQ=")
            || form.contains("refresh_token=stamp");
        if !is_known {
            return answer(401, &[], r#"{"details":"incorrect username or password"}"#);
        }
        let refresh = if query.contains("offline_token=true") { r#","refresh_token":"stamp""# } else { "" };
        return answer(200, &[], format!(r#"{{"token":"good","expires_in":300{refresh}}}"#));
    }
    if authorization.as_deref() == Some("Bearer good") {
        return answer(200, &[], DOCUMENT);
    }
    let challenge = format!(r#"Bearer realm="http://{host}/token",service="fake""#);
    answer(401, &[("www-authenticate", challenge.as_str())], "")
}

async fn document(fake: &Fake, auth: Option<&Auth>) -> Result<usize, Error> {
    let name = fake.name("team/web:1");
    let repository = Repository::connect(&name, Access::Pull, auth, &Fake::config()).await?;
    for _ in 0..3 {
        repository.document(None).await?;
    }
    Ok(fake.seen().iter().filter(|request| request.contains(" /token")).count())
}

#[tokio::test]
async fn password_is_exchanged_for_a_token_once() {
    let fake = Fake::start(with_tokens).await;

    let asked = document(&fake, Some(&user("secret"))).await.unwrap();

    assert_eq!(asked, 1, "{:?}", fake.seen());
    let request = fake.seen().into_iter().find(|request| request.contains(" /token")).unwrap();
    assert!(request.contains("scope=repository%3Ateam%2Fweb%3Apull"), "{request}");
    assert!(request.contains("service=fake") && request.contains("account=user"), "{request}");
}

#[tokio::test]
async fn identity_token_is_exchanged_by_form() {
    let fake = Fake::start(with_tokens).await;
    let auth = Auth { identity_token: "stamp".into(), ..Auth::default() };

    assert_eq!(document(&fake, Some(&auth)).await.unwrap(), 1);

    assert!(fake.seen().iter().any(|request| request.starts_with("POST /token -")), "{:?}", fake.seen());
    let wrong = Auth { identity_token: "forged".into(), ..Auth::default() };
    let refused = document(&fake, Some(&wrong)).await.unwrap_err();
    assert!(matches!(refused, Error::Unauthorized { .. }), "{refused:?}");
}

#[tokio::test]
async fn given_token_is_shown_as_it_is() {
    let fake = Fake::start(with_tokens).await;
    let auth = Auth { registry_token: "good".into(), ..Auth::default() };

    assert_eq!(document(&fake, Some(&auth)).await.unwrap(), 0);
}

#[tokio::test]
async fn refusals_are_in_dockers_words() {
    let fake = Fake::start(with_tokens).await;

    let nobody = document(&fake, None).await.unwrap_err();
    let wrong = document(&fake, Some(&user("guess"))).await.unwrap_err();

    let expected = format!(
        "pull access denied for {}/team/web, repository does not exist or may require 'docker login': unauthorized: incorrect username or password",
        fake.address
    );
    assert_eq!(nobody.to_string(), expected);
    assert!(
        matches!(&wrong, Error::Unauthorized { reason, .. } if reason == "incorrect username or password"),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn login_gives_the_token_to_keep() {
    let fake = Fake::start(with_tokens).await;
    let server = format!("http://{}", fake.address);

    let right = login(&server, &user("secret"), &Fake::config()).await.unwrap();
    let wrong = login(&server, &user("guess"), &Fake::config()).await.unwrap_err();

    assert_eq!((right.status.as_str(), right.identity_token.as_deref()), ("Login Succeeded", Some("stamp")));
    assert!(matches!(wrong, Error::Unauthorized { .. }), "{wrong:?}");
    assert!(!format!("{right:?}").contains("stamp"), "a secret is not printed");
}

/// Wants a password with each request.
async fn with_passwords(request: Request<Incoming>) -> Answer {
    match request.headers().get("authorization") {
        Some(value) if value == "Basic dXNlcjpzZWNyZXQ=" => answer(200, &[], DOCUMENT),
        _ => answer(401, &[("www-authenticate", r#"Basic realm="fake""#)], ""),
    }
}

#[tokio::test]
async fn login_with_a_password_alone_gives_no_token() {
    let fake = Fake::start(with_passwords).await;
    let server = fake.address.to_string();

    let right = login(&server, &user("secret"), &Fake::config()).await.unwrap();
    let wrong = login(&server, &user("guess"), &Fake::config()).await.unwrap_err();

    assert_eq!(right.identity_token, None);
    let expected = format!("unauthorized: {server} refused the credentials: authentication required");
    assert_eq!(wrong.to_string(), expected);
}

#[tokio::test]
async fn authority_of_a_directory_vouches_for_its_registry_alone() {
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("made.pem");
    let fake = Fake::start_secure(&authority, with_passwords).await;
    let config = Config { certificate_directories: vec![directory.path().to_owned()], ..Fake::config() };
    let place = directory.path().join(fake.address.to_string());
    std::fs::create_dir(&place).unwrap();
    let server = fake.address.to_string();

    let before = login(&server, &user("secret"), &config).await.unwrap_err();
    std::fs::copy(&authority, place.join("ca.crt")).unwrap();
    let after = login(&server, &user("secret"), &config).await;
    std::fs::write(place.join("broken.crt"), "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        .unwrap();
    let broken = login(&server, &user("secret"), &config).await.unwrap_err();

    assert!(matches!(before, Error::Certificate { .. }), "{before:?}");
    after.unwrap();
    assert!(broken.to_string().contains("broken.crt"), "{broken:?}");
}

#[tokio::test]
async fn password_is_not_sent_where_anyone_can_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("ca.pem");
    let challenge = r#"Bearer realm="http://elsewhere.invalid/token",service="fake""#;
    let handler = move |_request| async move { answer(401, &[("www-authenticate", challenge)], "") };
    let fake = Fake::start_secure(&authority, handler).await;
    let config = Config { extra_roots: vec![authority], ..Fake::config() };

    let error = login(&fake.address.to_string(), &user("secret"), &config).await.unwrap_err();

    assert!(matches!(error, Error::PlainRealm { .. }), "{error:?}");
}
