//! How fast it is. Run with `--release --run-ignored`, or `-- --ignored --nocapture`.

use std::time::Instant;

use pm_irr::{Ask, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::server::queries;

/// Answers each line with the same bytes, in bursts as the lines come.
async fn trivial(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_lines(stream, answer));
        }
    });
    address
}

async fn answer_lines(mut stream: TcpStream, answer: &[u8]) {
    let (mut read, mut answers) = (Vec::with_capacity(1 << 16), Vec::new());
    while let Ok(1..) = stream.read_buf(&mut read).await {
        let whole = read.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in read[..whole].split_inclusive(|byte| *byte == b'\n') {
            match line {
                b"!!\n" | b"!q\n" => {}
                [b'!', b'n' | b't', ..] => answers.extend_from_slice(b"C\n"),
                [b'!', b'v' | b'a' | b's' | b'j', ..] => answers.extend_from_slice(b"F\n"),
                _ => answers.extend_from_slice(answer),
            }
        }
        read.drain(..whole);
        stream.write_all(&answers).await.unwrap();
        answers.clear();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn twenty_thousand_small_queries() {
    let address = trivial(b"A28\n192.0.2.0/24 203.0.113.0/24\nC\n").await;
    for connections in [1, 4] {
        let mut options = pm_irr::Options::new(vec![address.clone()]);
        options.connections = connections;
        let client = Client::new(options).unwrap();
        for _ in 0..3 {
            let queries = queries(20_000);
            let begin = Instant::now();
            let mut receiver = client.ask(queries);
            let mut answers = 0;
            while let Some((_, outcome)) = receiver.recv().await {
                answers += u32::from(outcome.is_ok());
            }
            let took = begin.elapsed();
            assert_eq!(answers, 20_000);
            println!("{connections} connections: {:.0} queries/s", f64::from(answers) / took.as_secs_f64());
        }
    }
}
