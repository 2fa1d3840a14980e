use hickory_proto::op::Query;
use proptest::prelude::*;

use super::*;

fn query(name: &str, kind: RecordType, datagram_bytes: Option<u16>) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    if let Some(bytes) = datagram_bytes {
        let mut edns = Edns::new();
        edns.set_max_payload(bytes);
        message.set_edns(edns);
    }
    message
}

fn question(message: &Message, transport: Transport) -> Question {
    match read(&message.to_vec().unwrap(), transport) {
        Incoming::Question(question) => *question,
        other => panic!("{other:?}"),
    }
}

fn addresses(count: u32) -> Answer {
    Answer::Addresses((0..count).map(Ipv4Addr::from_bits).collect())
}

#[test]
fn an_answer_repeats_the_question_and_says_how_long_it_holds() {
    let question = question(&query("Web.back.", RecordType::A, Some(4096)), Transport::Udp);

    let answer = Message::from_vec(&question.answer(&addresses(3)).unwrap()).unwrap();

    assert_eq!((question.name.as_str(), question.kind), ("Web.back.", Kind::Address));
    assert_eq!((answer.metadata.id, answer.metadata.message_type), (7, MessageType::Response));
    assert!(answer.metadata.recursion_available && answer.metadata.recursion_desired);
    assert_eq!(answer.queries[0].name().to_ascii(), "Web.back.");
    assert_eq!(answer.answers.len(), 3);
    assert!(answer.answers.iter().all(|record| record.ttl == 600 && record.name.to_ascii() == "Web.back."));
    assert_eq!(answer.edns.as_ref().map(Edns::max_payload), Some(DATAGRAM_BYTES_OWN));
}

#[test]
fn each_answer_has_its_code() {
    let asked = question(&query("web", RecordType::AAAA, None), Transport::Udp);
    for (answer, code) in [
        (Answer::Nothing, Some(ResponseCode::NoError)),
        (Answer::Absent, Some(ResponseCode::NXDomain)),
        (Answer::Unknown, None),
        (Answer::Name("x".repeat(64)), None),
        (Answer::Name("web.1.abc.back".into()), Some(ResponseCode::NoError)),
    ] {
        let bytes = asked.answer(&answer);
        let code_told = bytes.map(|bytes| Message::from_vec(&bytes).unwrap().metadata.response_code);
        assert_eq!(code_told, code, "{answer:?}");
    }
    let failure = Message::from_vec(&asked.failure().unwrap()).unwrap();
    assert_eq!(failure.metadata.response_code, ResponseCode::ServFail);
}

#[test]
fn an_answer_is_as_long_as_whoever_asks_can_take() {
    for (transport, datagram_bytes, count, is_whole) in [
        (Transport::Udp, None, 14, true),
        (Transport::Udp, None, 1000, false),
        (Transport::Udp, Some(100), 1000, false),
        (Transport::Udp, Some(1232), 50, true),
        (Transport::Udp, Some(1232), 1000, false),
        (Transport::Tcp, None, 1000, true),
        (Transport::Tcp, None, 10_000, false),
    ] {
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61));
        for name in ["w", &longest] {
            let question = question(&query(name, RecordType::A, datagram_bytes), transport);

            let bytes = question.answer(&addresses(count)).unwrap();

            let answer = Message::from_vec(&bytes).unwrap();
            assert!(bytes.len() <= question.limit, "{} of {}", bytes.len(), question.limit);
            assert_eq!(answer.metadata.truncation, !is_whole, "{transport:?} {datagram_bytes:?} {count}");
            assert!(answer.answers.len() >= 14);
        }
    }
}

#[test]
fn a_foreign_answer_gets_the_number_of_the_question_or_is_cut_off() {
    let asked = question(&query("example.com", RecordType::TXT, None), Transport::Udp);
    let foreign = |length: usize| [&[0, 99][..], &vec![0; length - 2]].concat();

    assert_eq!(asked.relay(foreign(512)).unwrap()[..2], [0, 7]);
    let cut = Message::from_vec(&asked.relay(foreign(513)).unwrap()).unwrap();
    assert!(cut.metadata.truncation && cut.answers.is_empty());
}

#[test]
fn what_is_no_question_is_refused_or_left_alone() {
    let good = query("web", RecordType::A, None).to_vec().unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let two = {
        let mut message = query("web", RecordType::A, None);
        message.add_query(Query::query(Name::from_ascii("api").unwrap(), RecordType::A));
        message.to_vec().unwrap()
    };
    let last = good.len() - 1;
    for (bytes, expected) in [
        (good.clone(), "question"),
        (good[..last].to_vec(), "code 1"),
        (good[..12].to_vec(), "code 1"),
        (good[..11].to_vec(), "noise"),
        (Vec::new(), "noise"),
        (with(2, 0x80), "noise"),
        (with(2, 0x28), "code 4"),
        (with(last, 3), "code 5"),
        (with(12, 0xc0), "code 1"),
        (two, "code 1"),
    ] {
        let told = match read(&bytes, Transport::Udp) {
            Incoming::Question(_) => "question".to_owned(),
            Incoming::Faulty(answer) => {
                assert_eq!((answer.len(), &answer[..2], answer[2] & 0x80), (12, &bytes[..2], 0x80));
                format!("code {}", answer[3])
            }
            Incoming::Noise => "noise".to_owned(),
        };
        assert_eq!(told, expected, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn garbage_is_answered_with_an_error_or_not_at_all(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..80), is_like_a_question in any::<bool>(),
    ) {
        if is_like_a_question && bytes.len() > 12 {
            bytes[2..12].copy_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        }
        for transport in [Transport::Udp, Transport::Tcp] {
            match read(&bytes, transport) {
                Incoming::Question(question) => {
                    let _any = question.answer(&addresses(2));
                    let _any = question.failure();
                }
                Incoming::Faulty(answer) => prop_assert!(answer[3] & 0x0f != 0),
                Incoming::Noise => {}
            }
        }
    }
}
