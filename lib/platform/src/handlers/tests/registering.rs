//! What is registered, and what is said of the rest.

use super::*;
use std::os::unix::fs::symlink;

#[test]
fn a_script_and_its_registration_make_a_handler_and_neither_alone() {
    // S0-4, S0-7, S0-8, S0-10, S0-12, S0-27
    let place = Place::new();
    place.script("alone.sh", TELL);
    place.register(
        "other",
        "<handler name='gone.sh' type='cgi'><event name='user.edit' after='yes'/></handler>",
    );
    fs::write(
        place.root.path("etc/xml/dnsmgr_mod_x.xml"),
        "<mgrdata><handler name='alone.sh' type='cgi'><event name='user.edit' after='yes'/></handler></mgrdata>",
    )
    .unwrap();
    let (handlers, lines) = place.load();
    assert!(handlers.events.is_empty());
    // S0-25
    assert!(lines[0].text.contains("Addon 'addon/gone.sh' is not executable"), "{lines:?}");
    assert_eq!(lines[0].component, "external");
    place.handler("alone.sh", "cgi", "name='user.edit' after='yes'");
    let (handlers, lines) = place.load();
    assert_eq!(handlers.events.len(), 1);
    let texts: Vec<_> = lines.iter().map(|line| (line.component, line.text.as_str())).collect();
    assert!(texts.contains(&("action", "Register event 'alone.sh' for action 'user.edit'")));
}

#[test]
fn the_whole_files_of_the_document_load_as_they_are() {
    // S0-11, S0-18, S0-19, S0-28, S0-54, S0-67
    let place = Place::new();
    place.script("samba.pl", TELL);
    place.script("test.py", TELL);
    let files = [
        ("samba", include_str!("../samples/samba.xml")),
        ("useredit", include_str!("../samples/useredit.xml")),
        ("test", include_str!("../samples/test.xml")),
        ("desktop", include_str!("../samples/desktop.xml")),
    ];
    for (name, text) in files {
        fs::write(place.root.path(format!("etc/xml/billmgr_mod_{name}.xml")), text).unwrap();
    }
    if let Some(folder) = examples() {
        let read =
            |name: &str| fs::read_to_string(folder.join("event-handlers").join(name)).unwrap();
        for (name, file) in [("samba", "billmgr_mod_samba.xml"), ("test", "billmgr_mod_test.xml")] {
            let text = read(file);
            fs::write(place.root.path(format!("etc/xml/billmgr_mod_{name}.xml")), text).unwrap();
        }
        place.register("useredit", &read("samba-useredit.xml"));
        let desktop = read("desktop-event.xml");
        place.register(
            "desktop",
            &format!("<handler name='test.py' type='xml'>{desktop}</handler>"),
        );
    }
    let (handlers, lines) = place.load();
    let registered: Vec<_> = lines
        .iter()
        .filter(|line| line.component == "action")
        .map(|line| line.text.as_str())
        .collect();
    // By file name, then by place in the file (S0-55).
    assert_eq!(
        registered,
        [
            "Register event 'test.py' for action 'desktop'",
            "Register event 'samba.pl' for action 'user.edit'",
            "Register event 'samba.pl' for action 'user.delete'",
            "Register event 'test.py' for action 'notify.send'",
            "Register event 'samba.pl' for action 'user.edit'",
        ]
    );
    let desktop = &handlers.events[0];
    assert_eq!(desktop.when, crate::handlers::registration::When::Late, "S0-21");
}

/// Name of the file, its handlers, what is said about it.
const BAD: &[(&str, &str, &str)] = &[
    ("b_half", "<handler name='a.sh' type='cgi'>", "`etc/xml/billmgr_mod_b_half.xml` is not read"),
    (
        "c_type",
        "<handler name='a.sh' type='sh'><event name='user.edit' after='yes'/></handler>",
        "its type is `sh`; write `cgi` or `xml`",
    ),
    (
        "d_notype",
        "<handler name='a.sh'><event name='user.edit' after='yes'/></handler>",
        "its type is ``",
    ),
    (
        "e_neither",
        "<handler name='a.sh' type='cgi'><event name='user.edit'/></handler>",
        "neither before=\"yes\" nor after=\"yes\"",
    ),
    (
        "f_noname",
        "<handler name='a.sh' type='cgi'><event after='yes'/></handler>",
        "an event has no name",
    ),
    (
        "g_priority",
        "<handler name='a.sh' type='cgi'><event name='user.delete' after='yes' priority='after'/></handler>",
        "unknown attribute `priority` of event `user.delete` (did you mean the attribute `proirity`?)",
    ),
    (
        "h_function",
        "<handler name='a.sh' type='cgi'><event name='user.edti' after='yes'/></handler>",
        "there is no such function, it is never called (did you mean `user.edit`?)",
    ),
    (
        "i_value",
        "<handler name='a.sh' type='cgi'><event name='project.edit' after='yes' proirity='first' onfailure='maybe'/></handler>",
        "proirity `first` means nothing",
    ),
];

#[test]
fn what_is_wrong_with_a_registration_is_named_and_the_others_load() {
    // S0-13, S0-20, S0-23, S0-24, S0-26
    let place = Place::new();
    for name in ["a.sh", "z.sh"] {
        place.script(name, TELL);
    }
    for (name, inside, _) in BAD {
        place.register(name, inside);
    }
    fs::write(place.root.path("etc/xml/billmgr_mod_j_root.xml"), "<doc/>").unwrap();
    fs::write(place.root.path("etc/xml/billmgr_mod_k_binary.xml"), [0xff; 99]).unwrap();
    fs::write(place.root.path("etc/xml/billmgr_mod_l_doctype.xml"), "<!DOCTYPE m><mgrdata/>")
        .unwrap();
    // One file carries a gate's description too, with a comment and a declaration that strict parsers reject.
    fs::write(
        place.root.path("etc/xml/billmgr_mod_z.xml"),
        "<?xml version=\"1.0\" encoding=\"UTF8\"?>\n<!-- x --><mgrdata><plugin name='x'/><metadata name='y'/>\
         <lang name='en'/>\n<handler name='z.sh' type='cgi'> stray <event after='yes'>user.edit</event>\
         <event name='user.delete' before='yes' after='yes' base='#10000'/></handler></mgrdata>",
    )
    .unwrap();
    let (handlers, lines) = place.load();
    let text: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    let text = text.join("\n");
    for (name, _, words) in BAD {
        assert!(text.contains(words), "{name}: {words}\n{text}");
    }
    for words in ["its root is `doc`, not `mgrdata`", "mod_k_binary.xml` is not read", "DOCTYPE"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let of_z: Vec<_> = handlers.events.iter().filter(|event| event.script.name == "z.sh").collect();
    assert_eq!(of_z.len(), 3, "both sides are two runs");
    assert!(handlers.unusable.iter().any(|(name, why)| name == "a.sh" && why.contains("type")));
}

#[test]
fn a_name_that_leaves_addon_and_a_file_others_may_write_are_refused() {
    // S0-7, S0-9
    let place = Place::new();
    place.program("tools/out.sh", TELL);
    symlink(place.root.path("tools/out.sh"), place.root.path("addon/link.sh")).unwrap();
    place.script("plain.sh", TELL);
    symlink("plain.sh", place.root.path("addon/inside.sh")).unwrap();
    let open = place.script("open.sh", TELL);
    fs::set_permissions(open, fs::Permissions::from_mode(0o757)).unwrap();
    fs::create_dir(place.root.path("addon/folder")).unwrap();
    let names =
        ["../tools/out.sh", "/bin/sh", "..", ".", "", "link.sh", "open.sh", "folder", "inside.sh"];
    for (at, name) in names.iter().enumerate() {
        place.register(
            &format!("{at}"),
            &format!(
                "<handler name='{name}' type='cgi'><event name='user.edit' after='yes'/></handler>"
            ),
        );
    }
    let (handlers, lines) = place.load();
    let registered: Vec<_> =
        handlers.events.iter().map(|event| event.script.name.as_str()).collect();
    assert_eq!(registered, ["inside.sh"], "a link that stays inside is fine");
    let text: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    let text = text.join("\n");
    for words in
        ["no plain file name", "it leads out of addon/", "others may write it", "it is no file"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    fs::set_permissions(place.root.path("addon"), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(place.load().0.events.is_empty(), "nor is anything run from a folder others may write");
}
