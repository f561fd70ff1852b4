//! Every role, action and grant.

use tidemill_access::{
    Action, DagFacts, Denied, Grant, Limit, Pattern, Role, Who, may, may_somewhere,
};

fn pattern(text: &str) -> Pattern {
    text.parse().expect("a pattern")
}

fn dag<'a>(name: &'a str, tags: &'a [String]) -> Option<DagFacts<'a>> {
    Some(DagFacts { name, tags })
}

/// What each role may do: `v`iewer, `o`perator, `a`dmin.
const BY_ROLE: [(Action, &str); 9] = [
    (Action::See, "voa"),
    (Action::Own, "voa"),
    (Action::Operate, "oa"),
    (Action::Share, "oa"),
    (Action::Deploy, "a"),
    (Action::Secrets, "a"),
    (Action::Audit, "a"),
    (Action::Access, "a"),
    (Action::Settings, "a"),
];

/// What a grant of a role for one DAG adds to that DAG.
const BY_GRANT: [(Action, &str); 3] = [
    (Action::See, "voa"),
    (Action::Operate, "oa"),
    (Action::Deploy, "a"),
];

fn listed(table: &[(Action, &str)], action: Action, role: Role) -> bool {
    let row = table.iter().find(|(of, _)| *of == action);
    row.is_some_and(|(_, roles)| roles.contains(&role.word()[..1]))
}

#[test]
fn each_role_may_do_what_the_table_says_with_each_grant() {
    for action in Action::ALL {
        for role in Role::ALL {
            let plain = listed(&BY_ROLE, action, role);
            assert_eq!(may(&Who::of(role), action, None).is_ok(), plain);
            for given in Role::ALL {
                let who = Who {
                    grants: vec![Grant {
                        pattern: pattern("crm_*"),
                        role: given,
                    }],
                    ..Who::of(role)
                };
                let with = plain || listed(&BY_GRANT, action, given);
                let case = format!("{role} with {given} for crm_*: {action:?}");
                assert_eq!(
                    may(&who, action, dag("crm_daily", &[])).is_ok(),
                    with,
                    "{case}"
                );
                assert_eq!(may(&who, action, dag("shop", &[])).is_ok(), plain, "{case}");
                assert_eq!(may(&who, action, None).is_ok(), plain, "{case}");
            }
        }
    }
}

#[test]
fn a_token_never_may_more_than_its_user_nor_than_itself() {
    for action in Action::ALL {
        for role in Role::ALL {
            for most in Role::ALL {
                let who = Who {
                    limit: Some(Limit {
                        role: most,
                        dags: Vec::new(),
                    }),
                    ..Who::of(role)
                };
                let both = listed(&BY_ROLE, action, role) && listed(&BY_ROLE, action, most);
                // What it would make would outlive it.
                let lasts = matches!(action, Action::Own | Action::Access);
                let expected = both && !lasts;
                assert_eq!(
                    may(&who, action, None).is_ok(),
                    expected,
                    "{role} by a token for {most}: {action:?}"
                );
            }
        }
    }
}

#[test]
fn a_token_for_some_dags_is_for_nothing_else() {
    let who = Who {
        limit: Some(Limit {
            role: Role::Admin,
            dags: vec![pattern("crm_*"), pattern("tag:shop")],
        }),
        ..Who::of(Role::Admin)
    };
    let tags = ["shop".to_owned()];
    for action in Action::ALL {
        let of_dag = action.is_of_dag();
        assert_eq!(may(&who, action, dag("crm_daily", &[])).is_ok(), of_dag);
        assert_eq!(may(&who, action, dag("other", &tags)).is_ok(), of_dag);
        assert!(may(&who, action, dag("other", &[])).is_err(), "{action:?}");
        assert!(may(&who, action, None).is_err(), "{action:?}");
    }
}

#[test]
fn grants_count_through_a_token_up_to_its_role() {
    let by = |most| Who {
        grants: vec![Grant {
            pattern: pattern("tag:crm"),
            role: Role::Admin,
        }],
        limit: Some(Limit {
            role: most,
            dags: Vec::new(),
        }),
        ..Who::of(Role::Viewer)
    };
    let tags = ["crm".to_owned()];
    let crm = dag("crm_daily", &tags);
    assert_eq!(may(&by(Role::Operator), Action::Operate, crm), Ok(()));
    assert!(may(&by(Role::Operator), Action::Deploy, crm).is_err());
    assert!(may(&by(Role::Viewer), Action::Operate, crm).is_err());
}

#[test]
fn who_must_change_their_password_may_do_that_alone() {
    for role in Role::ALL {
        let who = Who {
            must_change: true,
            ..Who::of(role)
        };
        for action in Action::ALL {
            let expected = if action == Action::Own {
                Ok(())
            } else {
                Err(Denied::MustChange)
            };
            assert_eq!(may(&who, action, dag("crm", &[])), expected);
        }
    }
}

#[test]
fn a_refusal_says_what_would_be_needed() {
    let says = |who: &Who, action, dag| may(who, action, dag).expect_err("no").to_string();
    assert_eq!(
        says(
            &Who::of(Role::Viewer),
            Action::Operate,
            dag("crm_daily", &[])
        ),
        "viewer may not make or change runs of DAG `crm_daily`; that needs operator: ask an admin"
    );
    assert_eq!(
        says(&Who::of(Role::Operator), Action::Access, None),
        "operator may not change users, grants and tokens; that needs admin: ask an admin"
    );
    let limited = |dags| Who {
        limit: Some(Limit {
            role: Role::Viewer,
            dags,
        }),
        ..Who::of(Role::Admin)
    };
    assert_eq!(
        says(&limited(Vec::new()), Action::Operate, None),
        "a token for viewer may not make or change runs; that needs operator"
    );
    assert_eq!(
        says(
            &limited(vec![pattern("crm_*")]),
            Action::See,
            dag("shop", &[])
        ),
        "this token is not for DAG `shop`"
    );
    assert_eq!(
        says(&limited(vec![pattern("crm_*")]), Action::See, None),
        "this token is not for what belongs to no DAG"
    );
    assert_eq!(
        says(&limited(Vec::new()), Action::Own, None),
        "a token may not change one's own account; sign in for that"
    );
}

#[test]
fn patterns_match_whole_names() {
    let none: [String; 0] = [];
    let cases = [
        ("crm_daily", "crm_daily", true),
        ("crm_daily", "crm_daily2", false),
        ("crm_*", "crm_daily", true),
        ("crm_*", "crm_", true),
        ("crm_*", "my_crm_daily", false),
        ("*_daily", "crm_daily", true),
        ("*_daily", "crm_daily_2", false),
        ("*", "anything", true),
        ("a*b*c", "a_b_b_c", true),
        ("a*b*c", "acb", false),
        ("**", "x", true),
        ("*a", "ba", true),
        ("*ab", "aab", true),
    ];
    for (text, name, expected) in cases {
        assert_eq!(
            pattern(text).matches(name, &none),
            expected,
            "{text} {name}"
        );
    }
    let tags = ["crm".to_owned()];
    assert!(pattern("tag:crm").matches("x", &tags));
    assert!(!pattern("tag:cr*").matches("x", &tags));
    assert!(!pattern("crm").matches("x", &tags));
    // The worst case is quick, too.
    let hard = format!("{}b", "*a".repeat(99));
    assert!(!pattern(&hard).matches(&"a".repeat(200), &none));
}

#[test]
fn what_is_no_pattern_says_what_one_is() {
    for bad in [
        "",
        "crm daily",
        "crm/%",
        "tag:",
        "tag: ",
        "tag:\u{0}",
        "é",
        &"x".repeat(201),
    ] {
        assert!(bad.parse::<Pattern>().is_err(), "{bad:?}");
    }
    for good in ["*", "crm_*", "tag:Marke ting"] {
        assert_eq!(pattern(good).to_string(), good);
    }
}

#[test]
fn lists_are_open_to_whoever_may_do_it_to_any_dag() {
    let limited = |role, dags: &[&str]| Who {
        limit: Some(Limit {
            role,
            dags: dags.iter().map(|text| pattern(text)).collect(),
        }),
        ..Who::of(Role::Admin)
    };
    let given = Who {
        grants: vec![Grant {
            pattern: pattern("crm_*"),
            role: Role::Operator,
        }],
        ..Who::of(Role::Viewer)
    };
    assert!(may_somewhere(&given, Action::Operate).is_ok());
    assert!(may_somewhere(&Who::of(Role::Viewer), Action::Operate).is_err());
    assert!(may_somewhere(&limited(Role::Viewer, &["crm_*"]), Action::See).is_ok());
    assert!(may_somewhere(&limited(Role::Viewer, &["crm_*"]), Action::Operate).is_err());
    let new = Who {
        must_change: true,
        ..Who::of(Role::Admin)
    };
    assert_eq!(may_somewhere(&new, Action::See), Err(Denied::MustChange));
}
