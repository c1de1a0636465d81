// SPDX-License-Identifier: Apache-2.0
//! iceoryx2 for ring_peers.cpp: one publisher, one subscriber, messages of one size, nothing overwritten.
use core::ffi::{c_char, CStr};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory as Factory;

type Bytes = [u8];
type Service = Factory<ipc::Service, Bytes, ()>;
type Anyhow<T> = Result<T, Box<dyn std::error::Error>>;

// The fields in the order in which they are dropped.
pub struct Sender {
    loaned: Option<SampleMutUninit<ipc::Service, [MaybeUninit<u8>], ()>>,
    publisher: Publisher<ipc::Service, Bytes, ()>,
    message_bytes: usize,
    _service: Service,
    _node: Node<ipc::Service>,
}

pub struct Receiver {
    borrowed: Option<Sample<ipc::Service, Bytes, ()>>,
    subscriber: Subscriber<ipc::Service, Bytes, ()>,
    _service: Service,
    _node: Node<ipc::Service>,
}

unsafe fn text(characters: *const c_char) -> &'static str {
    CStr::from_ptr(characters).to_str().unwrap()
}

// Everything it leaves begins with the name, or is in the directory: whoever ran us can remove it.
fn open(name: &str, directory: &str, slot_count: usize) -> Anyhow<(Node<ipc::Service>, Service)> {
    set_log_level(LogLevel::Error);
    let mut config = Config::default();
    config.global.set_root_path(&Path::new(directory.as_bytes())?);
    config.global.prefix = FileName::new(format!("{name}-").as_bytes())?;
    let node = NodeBuilder::new().config(&config).create::<ipc::Service>()?;
    let service = node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<Bytes>()
        .payload_alignment(Alignment::new(64).unwrap())
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(slot_count)
        .subscriber_max_borrowed_samples(2)
        .history_size(0)
        .max_publishers(1)
        .max_subscribers(1)
        .open_or_create()?;
    Ok((node, service))
}

fn sender(name: &str, directory: &str, message_bytes: usize, slot_count: usize) -> Anyhow<Sender> {
    let (node, service) = open(name, directory, slot_count)?;
    let publisher = service
        .publisher_builder()
        .initial_max_slice_len(message_bytes)
        .max_loaned_samples(1)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?;
    while service.dynamic_config().number_of_subscribers() == 0 {
        std::thread::yield_now();
    }
    Ok(Sender { loaned: None, publisher, message_bytes, _service: service, _node: node })
}

fn receiver(name: &str, directory: &str, slot_count: usize) -> Anyhow<Receiver> {
    let (node, service) = open(name, directory, slot_count)?;
    let subscriber = service.subscriber_builder().buffer_size(slot_count).create()?;
    Ok(Receiver { borrowed: None, subscriber, _service: service, _node: node })
}

fn boxed<T>(made: Anyhow<T>) -> *mut T {
    match made {
        Ok(value) => Box::into_raw(Box::new(value)),
        Err(error) => {
            eprintln!("iceoryx2: {error:?}");
            null_mut()
        }
    }
}

#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_sender(name: *const c_char, directory: *const c_char, message_bytes: usize, slot_count: usize) -> *mut Sender {
    boxed(sender(text(name), text(directory), message_bytes, slot_count))
}

#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_receiver(name: *const c_char, directory: *const c_char, _message_bytes: usize, slot_count: usize) -> *mut Receiver {
    boxed(receiver(text(name), text(directory), slot_count))
}

#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_loan(sender: &mut Sender) -> *mut u8 {
    match sender.publisher.loan_slice_uninit(sender.message_bytes) {
        Ok(sample) => sender.loaned.insert(sample).payload_mut().as_mut_ptr().cast(),
        Err(error) => {
            eprintln!("iceoryx2: {error:?}");
            null_mut()
        }
    }
}

#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_commit(sender: &mut Sender) {
    if let Some(sample) = sender.loaned.take() {
        sample.assume_init().send().unwrap();
    }
}

#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_borrow(receiver: &mut Receiver) -> *const u8 {
    match receiver.subscriber.receive().unwrap() {
        Some(sample) => receiver.borrowed.insert(sample).payload().as_ptr(),
        None => null(),
    }
}

#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_give_back(receiver: &mut Receiver) {
    receiver.borrowed = None;
}

#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_free_sender(sender: *mut Sender) {
    drop(Box::from_raw(sender));
}

#[no_mangle]
pub unsafe extern "C" fn peer_iceoryx2_free_receiver(receiver: *mut Receiver) {
    drop(Box::from_raw(receiver));
}
