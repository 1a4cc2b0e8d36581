use proptest::prelude::*;

use super::*;

fn public(url: &str) -> Result<Target, UrlError> {
    Target::parse(url, &Policy::public())
}

fn loopback() -> Policy {
    Policy::public().allow_subnet("127.0.0.0/8".parse().unwrap())
}

fn v4(text: &str) -> u32 {
    text.parse::<Ipv4Addr>().unwrap().to_bits()
}

fn v6(text: &str) -> u128 {
    text.parse::<Ipv6Addr>().unwrap().to_bits()
}

/// (first, last, is the address before forbidden, is the address after forbidden)
const V4_RANGES: &[(&str, &str, bool, bool)] = &[
    ("0.0.0.0", "0.255.255.255", true, false), // before it: wraps to 255.255.255.255
    ("10.0.0.0", "10.255.255.255", false, false),
    ("100.64.0.0", "100.127.255.255", false, false),
    ("127.0.0.0", "127.255.255.255", false, false),
    ("169.254.0.0", "169.254.255.255", false, false),
    ("172.16.0.0", "172.31.255.255", false, false),
    ("192.0.0.0", "192.0.0.255", false, false),
    ("192.0.2.0", "192.0.2.255", false, false),
    ("192.88.99.0", "192.88.99.255", false, false),
    ("192.168.0.0", "192.168.255.255", false, false),
    ("198.18.0.0", "198.19.255.255", false, false),
    ("198.51.100.0", "198.51.100.255", false, false),
    ("203.0.113.0", "203.0.113.255", false, false),
    ("224.0.0.0", "239.255.255.255", false, true),
    ("240.0.0.0", "255.255.255.255", true, true),
];

#[test]
fn every_v4_range_at_its_edges_and_in_every_embedding() {
    assert_eq!(V4_RANGES.len(), FORBIDDEN_V4.len());
    for (first, last, before, after) in V4_RANGES {
        for (address, forbidden) in [
            (v4(first).wrapping_sub(1), *before),
            (v4(first), true),
            (v4(last), true),
            (v4(last).wrapping_add(1), *after),
        ] {
            let inner = Ipv4Addr::from_bits(address);
            assert_eq!(is_forbidden(inner.into()), forbidden, "{inner}");
            let address = u128::from(address);
            for outer in [
                v6("::ffff:0:0") | address,
                v6("::ffff:0:0:0") | address,
                v6("64:ff9b::") | address,
                v6("2002::") | address << 80,
                v6("2002::1234:5678:9abc:def0") | address << 80,
            ] {
                let outer = Ipv6Addr::from_bits(outer);
                assert_eq!(
                    is_forbidden(outer.into()),
                    forbidden,
                    "{outer} holds {inner}"
                );
            }
        }
    }
}

const ALL: &str = "ffff:ffff:ffff:ffff:ffff:ffff:ffff";

#[test]
fn every_v6_range_at_its_edges() {
    let last = |start: &str, segments: usize| -> String {
        let tail = ALL
            .split(':')
            .take(8 - segments)
            .collect::<Vec<_>>()
            .join(":");
        format!("{start}:{tail}")
    };
    for (first, last, before, after) in [
        // After it comes 100::/64. 2002::/16 and the other embeddings are tested with the inner address.
        ("::", last("ff", 1), true, true),
        ("64:ff9b:1::", last("64:ff9b:1", 3), true, true), // inside ::/8
        ("100::", last("100:0:0:0", 4), true, false),
        ("2001::", last("2001:1ff", 2), false, false),
        ("2001:db8::", last("2001:db8", 2), false, false),
        ("3fff::", last("3fff:fff", 2), false, false),
        ("5f00::", last("5f00", 1), false, false),
        ("fc00::", last("fdff", 1), false, false),
        ("fe80::", last("febf", 1), false, true), // then fec0::/10
        ("fec0::", last("feff", 1), true, true),  // then ff00::/8
        ("ff00::", last("ffff", 1), true, true),
    ] {
        for (address, forbidden) in [
            (v6(first).wrapping_sub(1), before),
            (v6(first), true),
            (v6(&last), true),
            (v6(&last).wrapping_add(1), after),
        ] {
            let address = Ipv6Addr::from_bits(address);
            assert_eq!(is_forbidden(address.into()), forbidden, "{address}");
        }
    }
    for known in [
        "2606:4700:4700::1111",
        "2a00:1450:4001:82a::200e",
        "2001:4860:4860::8888",
    ] {
        assert!(!is_forbidden(known.parse().unwrap()), "{known}");
    }
    for known in [
        "::1",
        "::",
        "::127.0.0.1",
        "fd00:ec2::254",
        "fe80::1",
        "64:ff9b::7f00:1",
    ] {
        assert!(is_forbidden(known.parse().unwrap()), "{known}");
    }
}

#[test]
fn every_disguise_of_a_forbidden_address_is_refused() {
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "2130706433.",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7F.1",
        "0177.0.0.1",
        "0177.1",
        "017700000001",
        "0x7f.0x0.0x0.0x1",
        "0",
        "0.0.0.0",
        "00.00.00.00",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "169.254.43518",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "%31%32%37.0.0.1",
        "127%2e0%2e0%2e1",
        "１２７.０.０.１",
        "127。0。0。1",
        "①②⑦.⓪.⓪.①",
        "0x7f。1",
        "255.255.255.255",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:0:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::808:808]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[fec0::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "foo.localhost",
        "a.b.LocalHost.",
        "ｌｏｃａｌｈｏｓｔ",
        "%6cocalhost",
    ] {
        for scheme in ["http", "https", "HTTP", "hTTps"] {
            let url = format!("{scheme}://{host}/path?q=1");
            assert_eq!(
                public(&url).unwrap_err(),
                UrlError::ForbiddenAddress,
                "{url}"
            );
        }
    }
}

#[test]
fn what_is_no_plain_web_url_is_refused_with_the_reason() {
    for (url, error) in [
        ("", UrlError::Scheme),
        ("example.com", UrlError::Scheme),
        ("//example.com/", UrlError::Scheme),
        ("ftp://example.com/", UrlError::Scheme),
        ("file:///etc/passwd", UrlError::Scheme),
        ("gopher://127.0.0.1:6379/_x", UrlError::Scheme),
        ("unix:/var/run/docker.sock", UrlError::Scheme),
        ("foo://127.0.0.1/", UrlError::Scheme),
        ("javascript:alert(1)", UrlError::Scheme),
        ("http:example.com", UrlError::Scheme),
        ("http:/example.com", UrlError::Scheme),
        ("https:\\\\example.com", UrlError::Scheme),
        (" http://example.com/", UrlError::Scheme),
        ("ht\ntp://example.com/", UrlError::Scheme),
        ("httр://example.com/", UrlError::Scheme), // Cyrillic р
        ("http://example.com/ ", UrlError::Malformed),
        ("http://exa\tmple.com/", UrlError::Malformed),
        ("http://example.com/a\r\nhost:b", UrlError::Malformed),
        ("http://example.com\\@127.0.0.1/", UrlError::Malformed),
        ("http://127.0.0.1\u{0}.example.com/", UrlError::Malformed),
        ("http://user@example.com/", UrlError::UserInfo),
        ("http://user:pass@example.com/", UrlError::UserInfo),
        ("http://@example.com/", UrlError::UserInfo),
        ("http://:@example.com/", UrlError::UserInfo),
        ("http://example.com@127.0.0.1/", UrlError::UserInfo),
        ("http://example.com/#", UrlError::Fragment),
        ("http://example.com/#a", UrlError::Fragment),
        ("http://example.com#@127.0.0.1/", UrlError::Fragment),
        ("http://", UrlError::Host),
        ("http:///", UrlError::Host),
        ("http:///127.0.0.1/", UrlError::Host),
        ("http://?q", UrlError::Host),
        ("http://:80/", UrlError::Host),
        ("http://./", UrlError::Host),
        ("http://a..b/", UrlError::Host),
        ("http://.a/", UrlError::Host),
        ("http://a,b/", UrlError::Host),
        ("http://*.example.com/", UrlError::Host),
        ("http://1.2.3.4.5/", UrlError::Host),
        ("http://256.1.1.1/", UrlError::Host),
        ("http://4294967296/", UrlError::Host),
        ("http://foo.0x7f/", UrlError::Host),
        ("http://[fe80::1%25eth0]/", UrlError::Host),
        ("http://[fe80::1%eth0]/", UrlError::Host),
        ("http://[::1/", UrlError::Host),
        ("http://[127.0.0.1]/", UrlError::Host),
        ("http://example.com:99999/", UrlError::Port),
        ("http://example.com:0/", UrlError::Port),
        ("http://example.com:22/", UrlError::Port),
        ("http://example.com:8080/", UrlError::Port),
        ("http://8.8.8.8:6379/", UrlError::Port),
        ("http://[2606:4700::1]:6379/", UrlError::Port),
    ] {
        assert_eq!(public(url).unwrap_err(), error, "{url:?}");
    }
    let long = format!("http://example.com/{}", "a".repeat(MAX_URL_BYTES));
    assert_eq!(public(&long).unwrap_err(), UrlError::TooLong);
    let long = format!("http://{}.example.com/", "a".repeat(64));
    assert_eq!(public(&long).unwrap_err(), UrlError::Host);
}

#[test]
fn public_urls_pass_in_one_normal_form() {
    for (url, normal) in [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/A?b=c", "https://example.com/A?b=c"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("https://example.com./x", "https://example.com/x"),
        (
            "https://münchen.example/ä?ö",
            "https://xn--mnchen-3ya.example/%C3%A4?%C3%B6",
        ),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://134744072/", "http://8.8.8.8/"),
        (
            "http://[2606:4700:4700::1111]/",
            "http://[2606:4700:4700::1111]/",
        ),
        ("http://[::ffff:8.8.8.8]/", "http://[::ffff:808:808]/"),
        ("https://example.com/@user", "https://example.com/@user"),
        (
            "https://example.com/a/../b?x=`|{}^",
            "https://example.com/b?x=`|{}^",
        ),
    ] {
        let target = public(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(target.as_str(), normal);
    }
}

#[test]
fn debug_shows_no_path_or_query() {
    let target = public("https://example.com/hooks/T0KEN?key=SECRET").unwrap();
    assert_eq!(format!("{target:?}"), "Target(https://example.com/…)");
}

#[test]
fn an_allowed_subnet_opens_itself_on_every_port_and_nothing_else() {
    let policy = loopback();
    for url in [
        "http://127.0.0.1:9/",
        "http://2130706433:8080/",
        "http://[::ffff:127.0.0.1]:9/",
        "http://localhost:3000/",
    ] {
        assert!(Target::parse(url, &policy).is_ok(), "{url}");
    }
    for url in [
        "http://[::1]:80/",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://[64:ff9b::127.0.0.1]/", // a NAT64 gateway's loopback is not ours
        "http://[2002:7f00:1::]/",
    ] {
        assert_eq!(
            Target::parse(url, &policy).unwrap_err(),
            UrlError::ForbiddenAddress,
            "{url}"
        );
    }
    assert_eq!(
        Target::parse("http://8.8.8.8:9/", &policy).unwrap_err(),
        UrlError::Port
    );

    let policy = Policy::public().allow_port(8443);
    assert!(Target::parse("https://example.com:8443/", &policy).is_ok());
    assert_eq!(
        Target::parse("https://127.0.0.1:8443/", &policy).unwrap_err(),
        UrlError::ForbiddenAddress
    );
}

#[test]
fn a_target_of_a_wider_policy_fails_the_check_of_a_narrower_one() {
    let target = Target::parse("http://127.0.0.1:9/", &loopback()).unwrap();
    assert_eq!(
        target.check(&Policy::public()),
        Err(UrlError::ForbiddenAddress)
    );
    let target = Target::parse("http://example.com:9/", &loopback()).unwrap();
    assert_eq!(target.check(&Policy::public()), Err(UrlError::Port));
}

#[test]
fn subnets_are_read_strictly() {
    for text in [
        "127.0.0.0/8",
        "0.0.0.0/0",
        "10.1.2.3/32",
        "fd00::/8",
        "::/0",
        "::1/128",
    ] {
        assert_eq!(text.parse::<Subnet>().unwrap().to_string(), text);
    }
    assert_eq!(
        "10.1.2.3".parse::<Subnet>().unwrap().to_string(),
        "10.1.2.3/32"
    );
    for text in [
        "",
        "/8",
        "127.0.0.0/",
        "127.0.0.1/8",
        "127.0.0.0/33",
        "127.0.0.0/+8",
        "127.0.0.0/08",
        "127.0.0.0/-1",
        "127/8",
        "fd00::1/8",
        "::/129",
        "localhost/8",
        "127.0.0.0/8/8",
        " 127.0.0.0/8",
    ] {
        assert_eq!(text.parse::<Subnet>(), Err(SubnetError), "{text:?}");
    }
    let all: Subnet = "0.0.0.0/0".parse().unwrap();
    assert!(all.contains("255.255.255.255".parse().unwrap()));
    assert!(!all.contains("::1".parse().unwrap()));
}

struct Answer(io::Result<Vec<&'static str>>);

#[async_trait::async_trait]
impl Resolve for Answer {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(name, "receiver.example");
        match &self.0 {
            Ok(found) => Ok(found.iter().map(|a| a.parse().unwrap()).collect()),
            Err(error) => Err(error.kind().into()),
        }
    }
}

#[tokio::test]
async fn one_forbidden_address_among_those_found_refuses_all() {
    let name = public("https://receiver.example./x").unwrap();
    for (found, expected) in [
        (Ok(vec!["8.8.8.8"]), Ok(vec!["8.8.8.8:443"])),
        (
            Ok(vec!["2606:4700::1", "8.8.4.4"]),
            Ok(vec!["[2606:4700::1]:443", "8.8.4.4:443"]),
        ),
        (
            Ok(vec!["8.8.8.8", "10.0.0.1"]),
            Err(ResolveError::ForbiddenAddress),
        ),
        (
            Ok(vec!["10.0.0.1", "8.8.8.8"]),
            Err(ResolveError::ForbiddenAddress),
        ),
        (
            Ok(vec!["8.8.8.8", "::ffff:169.254.169.254"]),
            Err(ResolveError::ForbiddenAddress),
        ),
        (Ok(vec!["127.0.0.1"]), Err(ResolveError::ForbiddenAddress)),
        (Ok(vec![]), Err(ResolveError::NoAddress)),
        (
            Err(io::ErrorKind::NotFound.into()),
            Err(ResolveError::Lookup),
        ),
    ] {
        let expected =
            expected.map(|all: Vec<&str>| all.into_iter().map(|a| a.parse().unwrap()).collect());
        let context = format!("{found:?}");
        assert_eq!(
            name.addresses(&Policy::public(), &Answer(found)).await,
            expected,
            "{context}"
        );
    }
}

#[tokio::test]
async fn another_port_is_dialled_only_where_every_address_lies_in_an_allowed_subnet() {
    let name = Target::parse("http://receiver.example:9000/", &loopback()).unwrap();
    let inside = name
        .addresses(&loopback(), &Answer(Ok(vec!["127.0.0.1"])))
        .await;
    assert_eq!(inside, Ok(vec!["127.0.0.1:9000".parse().unwrap()]));
    for found in [vec!["8.8.8.8"], vec!["127.0.0.1", "8.8.8.8"]] {
        let outside = name.addresses(&loopback(), &Answer(Ok(found))).await;
        assert_eq!(outside, Err(ResolveError::ForbiddenAddress));
    }
}

#[tokio::test]
async fn localhost_never_reaches_a_resolver() {
    let target = Target::parse("http://a.localhost:9000/", &loopback()).unwrap();
    let unused = Answer(Ok(vec!["8.8.8.8"]));
    assert_eq!(
        target.addresses(&loopback(), &unused).await,
        Ok(vec!["127.0.0.1:9000".parse().unwrap()])
    );
    assert_eq!(
        target.addresses(&Policy::public(), &unused).await,
        Err(ResolveError::ForbiddenAddress)
    );
}

proptest! {
    #[test]
    fn any_spelling_of_an_address_is_judged_as_the_address(bits in any::<u32>(), form in 0..6) {
        let [a, b, c, d] = bits.to_be_bytes();
        let host = match form {
            0 => format!("{a}.{b}.{c}.{d}"),
            1 => format!("{bits}"),
            2 => format!("{bits:#x}"),
            3 => format!("0{bits:o}"),
            4 => format!("{a:#x}.0{b:o}.{}", u16::from_be_bytes([c, d])),
            _ => format!("[::ffff:{a}.{b}.{c}.{d}]"),
        };
        let forbidden = is_forbidden(Ipv4Addr::from_bits(bits).into());
        let verdict = public(&format!("https://{host}/"));
        prop_assert_eq!(verdict.err(), forbidden.then_some(UrlError::ForbiddenAddress), "{}", host);
    }

    #[test]
    fn no_text_makes_the_parser_panic_and_what_passes_parses_again(text in "(http://|https://)?\\PC{0,60}") {
        if let Ok(target) = public(&text) {
            prop_assert_eq!(public(target.as_str()), Ok(target));
        }
    }
}

#[tokio::test]
async fn a_lookup_holds_its_place_until_it_is_over() {
    let places: &'static Semaphore = Box::leak(Box::new(Semaphore::new(1)));
    let (answer, asked) = std::sync::mpsc::channel::<()>();
    let hanging = lookup(places, move || asked.recv().map_err(io::Error::other));
    // Nobody waits for it any more, but its thread is still there.
    let mut hanging = Box::pin(hanging);
    while places.available_permits() > 0 {
        assert!(poll_once(&mut hanging).await.is_none());
    }
    drop(hanging);
    let mut next = Box::pin(lookup(places, || Ok(7)));
    assert!(poll_once(&mut next).await.is_none());
    answer.send(()).unwrap();
    assert_eq!(next.await.unwrap(), 7);
}

/// One poll.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
