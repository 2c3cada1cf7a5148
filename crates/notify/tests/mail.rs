//! E-mails to a real server.

use std::time::Duration;

use chrono::DateTime;
use pm_lab::routers::fleet::{CERTIFICATE, KEY};
use pm_lab::smtp::{self, Options};
use pm_notify::mail::{self, MailError, Message, Security, Server};

fn server(stand_in: &smtp::Server, security: Security) -> Server {
    Server {
        host: "localhost".into(),
        port: stand_in.port(),
        security,
        login: None,
        timeout: Duration::from_mins(1),
        authorities: vec![CERTIFICATE.as_bytes().to_vec()],
        identity: None,
    }
}

fn message() -> Message {
    Message {
        from: "Peering <noc@example.net>".into(),
        to: "ops@example.org".into(),
        subject: "job 7 failed\r\nBcc: x@example.org – ünïcode".into(),
        body: "First line\n.a line with a dot\n.\nlast: ü\n".into(),
        id: "abc".into(),
        time: DateTime::UNIX_EPOCH,
    }
}

async fn started(security: smtp::Security, login: Option<(&str, &str)>) -> smtp::Server {
    let identity = Some((CERTIFICATE.to_owned(), KEY.to_owned()));
    let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
    smtp::Server::start(Options { security, identity, login }).await.unwrap()
}

#[tokio::test]
async fn a_message_arrives_whole() {
    let stand_in = started(smtp::Security::Plain, None).await;
    let answer = mail::send(&server(&stand_in, Security::Plain), &message()).await.unwrap();
    assert_eq!(answer, "250 2.0.0 queued");
    let taken = stand_in.taken().remove(0);
    assert_eq!((taken.hello.as_str(), taken.from.as_str()), ("example.net", "noc@example.net"));
    assert_eq!((taken.to, taken.encrypted), (vec!["ops@example.org".to_owned()], false));
    let (head, body) = taken.text.split_once("\n\n").unwrap();
    assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{head}");
    for line in [
        "Message-ID: <abc@example.net>",
        "Auto-Submitted: auto-generated",
        "From: Peering <noc@example.net>",
        "To: ops@example.org",
        "Date: Thu, 01 Jan 1970 00:00:00 +0000",
    ] {
        assert!(head.lines().any(|one| one == line), "{line}\n{head}");
    }
    assert!(body.contains(".a line with a dot\n.\nlast:"), "{body}");
}

#[tokio::test]
async fn connections_are_protected_as_asked_for() {
    for (theirs, ours) in
        [(smtp::Security::StartTls, Security::StartTls), (smtp::Security::Tls, Security::Tls)]
    {
        let stand_in = started(theirs, Some(("user", "s3cret"))).await;
        let login = Some(("user".to_owned(), "s3cret".to_owned().into()));
        let with_login = Server { login, ..server(&stand_in, ours) };
        mail::send(&with_login, &message()).await.unwrap();
        assert!(stand_in.taken()[0].encrypted, "{ours:?}");
        let unknown = Server { authorities: vec![], ..with_login };
        let error = mail::send(&unknown, &message()).await.unwrap_err();
        assert!(matches!(error, MailError::Refused { .. }), "{error}");
        assert_eq!(stand_in.taken().len(), 1, "{ours:?}");
    }
    // A server without STARTTLS gets nothing in clear.
    let stand_in = started(smtp::Security::Plain, None).await;
    assert!(mail::send(&server(&stand_in, Security::StartTls), &message()).await.is_err());
    assert_eq!(stand_in.taken(), []);
}

#[tokio::test]
async fn what_the_server_says_is_told_without_the_password() {
    let stand_in = started(smtp::Security::Plain, Some(("user", "another"))).await;
    let login = Some(("user".to_owned(), "s3cret-planted".to_owned().into()));
    let wrong = Server { login, ..server(&stand_in, Security::Plain) };
    let error = mail::send(&wrong, &message()).await.unwrap_err();
    let MailError::Refused { code: Some(535), reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("authentication failed"), "{reason}");
    for secret in ["s3cret-planted", "AHVzZXIAczNjcmV0LXBsYW50ZWQ="] {
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
    assert!(!format!("{wrong:?}").contains("s3cret-planted"));
}

#[tokio::test]
async fn trouble_is_told_apart() {
    let stand_in = started(smtp::Security::Plain, None).await;
    stand_in.refuse(Some("452 4.2.2 mailbox full"));
    let error = mail::send(&server(&stand_in, Security::Plain), &message()).await.unwrap_err();
    assert!(matches!(error, MailError::Refused { code: Some(452), .. }), "{error:?}");
    assert!(error.to_string().contains("mailbox full"), "{error}");
    stand_in.delay(Duration::from_mins(1));
    let hurried = Server { timeout: Duration::from_millis(300), ..server(&stand_in, Security::Plain) };
    let error = mail::send(&hurried, &message()).await.unwrap_err();
    assert!(error.to_string().contains("did not take the message"), "{error}");
    let nobody = Message { to: "nobody".into(), ..message() };
    let error = mail::send(&hurried, &nobody).await.unwrap_err();
    assert!(matches!(error, MailError::Address { .. }), "{error:?}");
}
