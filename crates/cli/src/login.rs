//! `login` and `logout`

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use client::credentials::{self, Place};
use client::{Context, Route};
use engine_json::{LoginAnswer, RegistryAuth};

/// Who uses which registry.
#[derive(Debug, Args)]
pub struct Login {
    /// The registry; Docker's unless given
    #[arg(value_name = "SERVER")]
    server: Option<String>,
    /// The password; better given on standard input
    #[arg(short, long)]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// The user
    #[arg(short, long)]
    username: Option<String>,
}

/// Which registry is left.
#[derive(Debug, Args)]
pub struct Logout {
    /// The registry; Docker's unless given
    #[arg(value_name = "SERVER")]
    server: Option<String>,
}

/// Checks credentials with a registry and keeps them.
pub(crate) async fn login(context: &mut Context, arguments: Login) -> Result<()> {
    let key = credentials::key(arguments.server.as_deref().unwrap_or("docker.io"));
    let password = password(context, &arguments)?;
    if arguments.username.is_none() && password.is_none() {
        let known = credentials::of_registry(&key);
        if !known.is_anonymous() {
            let user = &known.username;
            let told = format!("Authenticating with existing credentials... [Username: {user}]");
            context.console.complain(&told);
            if let Ok(answer) = check(context, &known).await {
                return keep(context, known, answer);
            }
            context.console.complain("Stored credentials invalid or expired");
        }
    }
    let is_typed = password.is_none() || arguments.username.is_none();
    if is_typed && !context.console.is_input_terminal() {
        bail!("Error: Cannot perform an interactive login from a non TTY device");
    }
    let username = match arguments.username {
        Some(username) => username,
        None => context.console.ask("Username: ").await?,
    };
    if username.is_empty() {
        bail!("Error: Non-null Username Required");
    }
    let password = match password {
        Some(password) => password,
        None => context.console.ask_secret("Password: ").await?,
    };
    if password.is_empty() {
        bail!("Error: Password Required");
    }
    let auth = RegistryAuth { username, password, serveraddress: key, ..RegistryAuth::default() };
    let answer = check(context, &auth).await?;
    keep(context, auth, answer)
}

fn password(context: &mut Context, arguments: &Login) -> Result<Option<String>> {
    match (&arguments.password, arguments.password_stdin) {
        (Some(_), true) => bail!("--password and --password-stdin are mutually exclusive"),
        (Some(password), false) => {
            let warning = "WARNING! Using --password via the CLI is insecure. Use --password-stdin.";
            context.console.complain(warning);
            Ok(Some(password.clone()))
        }
        (None, true) if arguments.username.is_none() => {
            bail!("Must provide --username with --password-stdin")
        }
        (None, true) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("read the password")?;
            Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        (None, false) => Ok(None),
    }
}

async fn check(context: &Context, auth: &RegistryAuth) -> Result<LoginAnswer, client::Error> {
    context.engine.post(Route::new("/auth"), auth).await
}

fn keep(context: &mut Context, mut auth: RegistryAuth, answer: LoginAnswer) -> Result<()> {
    if !answer.identity_token.is_empty() {
        auth.identitytoken = answer.identity_token;
        auth.password = String::new();
    }
    if let Place::File(path) = credentials::keep(&auth)? {
        let warning = format!(
            "\nWARNING! Your credentials are stored unencrypted in '{}'.\nConfigure a credential helper (credsStore) there to keep them elsewhere.\n",
            path.display()
        );
        context.console.complain(&warning);
    }
    let status = if answer.status.is_empty() { "Login Succeeded" } else { &answer.status };
    Ok(context.console.line(status)?)
}

/// Forgets the credentials for a registry.
pub(crate) fn logout(context: &mut Context, arguments: Logout) -> Result<()> {
    let key = credentials::key(arguments.server.as_deref().unwrap_or("docker.io"));
    context.console.line(&format!("Removing login credentials for {key}"))?;
    credentials::forget(&key)?;
    Ok(())
}
