//! The way into a session: connect, greet, TLS, log in (RFC 5321, 3207, 4954).

use channel::{Credentials, Security, Settings, connect};

use crate::conversation::Conversation;
use crate::reply::Offers;
use crate::trouble::{Step, Trouble};

/// A conversation with a server that knows us, and what it offers (`helo` empty: we call ourselves by
/// our address in brackets).
pub(crate) fn greet(settings: &Settings, helo: &str) -> Result<(Conversation, Offers), Trouble> {
    let credentials = Credentials::ready(&settings.auth)?;
    let mut talk = Conversation::over(connect(settings)?, settings.timeout);
    talk.hear_good(Step::Greeting)?;
    let mut offers = hello(&mut talk, helo)?;
    if settings.security == Security::StartTls {
        ask_for_tls(&mut talk, &offers, &settings.host)?;
        talk = talk.secured(settings)?;
        offers = hello(&mut talk, helo)?;
    }
    log_in(&mut talk, &offers, &credentials)?;
    Ok((talk, offers))
}

fn hello(talk: &mut Conversation, helo: &str) -> Result<Offers, Trouble> {
    let name = match (helo, talk.local_ip()) {
        ("", Some(std::net::IpAddr::V6(ip))) => format!("[IPv6:{ip}]"),
        ("", Some(ip)) => format!("[{ip}]"),
        ("", None) => "[127.0.0.1]".to_owned(),
        (name, _) => name.to_owned(),
    };
    talk.say(format_args!("EHLO {name}"));
    let reply = talk.hear(Step::Hello)?;
    if reply.is_good() {
        return Ok(Offers::read(&reply));
    }
    if reply.is_passing() {
        return Err(Trouble::Refused { step: Step::Hello, whom: None, reply });
    }
    talk.say(format_args!("HELO {name}"));
    talk.hear_good(Step::Hello)?;
    Ok(Offers::default())
}

fn ask_for_tls(talk: &mut Conversation, offers: &Offers, host: &str) -> Result<(), Trouble> {
    if !offers.starttls {
        return Err(Trouble::Lacks(format!(
            "{host} offers no STARTTLS, and without TLS nothing is sent; if the port speaks TLS from \
             the first byte, set security to tls"
        )));
    }
    talk.say("STARTTLS");
    talk.hear_good(Step::StartTls).map(drop)
}

fn log_in(
    talk: &mut Conversation,
    offers: &Offers,
    credentials: &Credentials,
) -> Result<(), Trouble> {
    let offered = |name: &str| offers.auth.iter().any(|one| one == name);
    let needed = match credentials {
        Credentials::None => return Ok(()),
        Credentials::Token { .. } => "XOAUTH2",
        Credentials::Password { .. } if offered("PLAIN") => "PLAIN",
        Credentials::Password { .. } => "LOGIN",
    };
    if !offered(needed) {
        let list = if offers.auth.is_empty() { "none".into() } else { offers.auth.join(", ") };
        return Err(Trouble::Lacks(format!(
            "the server offers no AUTH {needed} (offered: {list}); check port and auth"
        )));
    }
    if !talk.is_private() {
        return Err(Trouble::Lacks("no password is said on an open line".into()));
    }
    match credentials {
        Credentials::Password { login, password } if needed == "LOGIN" => {
            talk.say("AUTH LOGIN");
            talk.hear_good(Step::Auth)?;
            talk.say(channel::base64(login.as_bytes()));
            talk.hear_good(Step::Auth)?;
            talk.say(channel::base64(password.expose().as_bytes()));
        }
        _ => talk
            .say(format_args!("AUTH {needed} {}", credentials.initial_response_base64().expose())),
    }
    let reply = talk.hear(Step::Auth)?;
    if reply.code == 334 {
        // XOAUTH2 tells its error in a challenge that wants an empty answer before the real reply.
        talk.say("");
        talk.hear_good(Step::Auth)?;
        return Err(Trouble::Lacks("the server asked for more than AUTH can answer".into()));
    }
    if reply.is_good() {
        Ok(())
    } else {
        Err(Trouble::Refused { step: Step::Auth, whom: None, reply })
    }
}
