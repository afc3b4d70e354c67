//! The order in which waiting rows are taken: clients by turns, and the requests of one client by turns, counted in tokens.
//!
//! Whoever has been served the fewest tokens is next, as in the fair queueing of Demers, Keshav and Shenker (1989); who comes anew
//! begins at what the least served of those waiting had, so that waiting is no credit and a long list no right of way.

use std::collections::VecDeque;
use std::sync::Arc;

use super::job::Job;

/// One row of a request that waits.
#[derive(Clone)]
pub struct Item {
    pub job: Arc<Job>,
    /// The row's place in the request.
    pub place: usize,
    client: u64,
}

impl Item {
    /// Tokens of the row.
    pub fn cost(&self) -> usize {
        self.job.costs.get(self.place).copied().unwrap_or(1)
    }
}

/// Rows that wait, by client and request.
#[derive(Default)]
pub struct FairOrder {
    clients: Vec<ClientTurn>,
    /// Tokens that the client was served which had its turn last.
    level: u64,
}

/// A request, and the places of its rows that wait.
type JobTurn = Turn<Arc<Job>, VecDeque<usize>>;
/// A client, and its requests.
type ClientTurn = Turn<u64, Vec<JobTurn>>;

/// One of those who take turns.
struct Turn<K, W> {
    key: K,
    served: u64,
    waiting: W,
}

impl FairOrder {
    /// Let all rows of a request wait.
    pub fn push(&mut self, client: u64, job: &Arc<Job>) {
        let jobs = &mut self.client(client).waiting;
        let served = jobs.iter().map(|turn| turn.served).min().unwrap_or(0);
        jobs.push(Turn { key: job.clone(), served, waiting: (0..job.work.len()).collect() });
    }

    fn client(&mut self, key: u64) -> &mut ClientTurn {
        let place = self.clients.iter().position(|turn| turn.key == key).unwrap_or_else(|| {
            self.clients.push(Turn { key, served: self.level, waiting: Vec::new() });
            self.clients.len() - 1
        });
        &mut self.clients[place]
    }

    /// Take the next row; it counts as served.
    pub fn take(&mut self) -> Option<Item> {
        let has_rows = |jobs: &[JobTurn]| jobs.iter().any(|job| !job.waiting.is_empty());
        let client =
            self.clients.iter_mut().filter(|turn| has_rows(&turn.waiting)).min_by_key(|turn| turn.served)?;
        let job = client
            .waiting
            .iter_mut()
            .filter(|turn| !turn.waiting.is_empty())
            .min_by_key(|turn| turn.served)?;
        let place = job.waiting.pop_front()?;
        let item = Item { job: job.key.clone(), place, client: client.key };
        self.level = self.level.max(client.served);
        job.served += item.cost() as u64;
        client.served += item.cost() as u64;
        Some(item)
    }

    /// Undo [`FairOrder::take`]. Several are given back in the reverse order, and before [`FairOrder::tidy`].
    pub fn give_back(&mut self, item: &Item) {
        let Some(client) = self.clients.iter_mut().find(|turn| turn.key == item.client) else { return };
        let Some(job) = client.waiting.iter_mut().find(|turn| Arc::ptr_eq(&turn.key, &item.job)) else {
            return;
        };
        job.waiting.push_front(item.place);
        job.served -= item.cost() as u64;
        client.served -= item.cost() as u64;
    }

    /// Forget requests of which no row waits, and their clients.
    pub fn tidy(&mut self) {
        for client in &mut self.clients {
            client.waiting.retain(|job| !job.waiting.is_empty());
        }
        self.clients.retain(|client| !client.waiting.is_empty());
        // What counts is the least served of those waiting, not how far a row that was given back had come.
        if let Some(least) = self.clients.iter().map(|client| client.served).min() {
            self.level = self.level.min(least);
        }
    }

    /// Drop the rows of a request that wait; their number and tokens.
    pub fn remove(&mut self, job: &Arc<Job>) -> Removed {
        let mut removed = Removed::default();
        for turn in self.clients.iter().flat_map(|client| &client.waiting) {
            if Arc::ptr_eq(&turn.key, job) {
                removed.rows += turn.waiting.len();
                removed.tokens +=
                    turn.waiting.iter().filter_map(|place| job.costs.get(*place)).sum::<usize>();
            }
        }
        for client in &mut self.clients {
            client.waiting.retain(|turn| !Arc::ptr_eq(&turn.key, job));
        }
        self.tidy();
        removed
    }

    /// All requests of which a row waits, which do so no more.
    pub fn drain(&mut self) -> Vec<Arc<Job>> {
        let clients = std::mem::take(&mut self.clients);
        clients.into_iter().flat_map(|client| client.waiting).map(|turn| turn.key).collect()
    }
}

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Removed {
    pub rows: usize,
    pub tokens: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::job::Work;
    use crate::queue::worker::tests::Echo;

    /// A request of as many texts as there are costs.
    pub fn job(costs: &[usize]) -> Arc<Job> {
        let texts = costs.iter().map(ToString::to_string).collect();
        Job::new(Arc::new(Echo::default()), Work::Embed { texts, normalize: true }, costs.to_vec()).0
    }

    fn taken(order: &mut FairOrder) -> Vec<(u64, usize)> {
        std::iter::from_fn(|| order.take()).map(|item| (item.client, item.place)).collect()
    }

    #[test]
    fn clients_take_turns_by_tokens() {
        let mut order = FairOrder::default();
        order.push(1, &job(&[10, 10, 10, 10]));
        order.push(2, &job(&[20, 20]));
        // 1 and 2 have both 0; then 1 has 10 and 2 has 20; then both 20, where 1 came first; then 30 and 20.
        assert_eq!(taken(&mut order), [(1, 0), (2, 0), (1, 1), (1, 2), (2, 1), (1, 3)]);
    }

    #[test]
    fn a_text_does_not_wait_behind_the_long_list_of_another() {
        let mut order = FairOrder::default();
        order.push(1, &job(&[10; 1000]));
        for _ in 0..500 {
            order.take().unwrap();
        }
        order.push(2, &job(&[10]));
        let (first, second) = (order.take().unwrap(), order.take().unwrap());
        assert!([first.client, second.client].contains(&2));
    }

    #[test]
    fn who_asks_much_at_once_has_one_turn() {
        let mut order = FairOrder::default();
        for _ in 0..50 {
            order.push(1, &job(&[10, 10]));
        }
        order.push(2, &job(&[10, 10, 10]));
        let first: Vec<u64> = (0..6).map(|_| order.take().unwrap().client).collect();
        assert_eq!(first, [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn requests_of_one_client_take_turns() {
        let mut order = FairOrder::default();
        let (long, short) = (job(&[10; 100]), job(&[10]));
        order.push(1, &long);
        (0..10).for_each(|_| drop(order.take()));
        order.push(1, &short);
        let next: Vec<Item> = (0..2).map(|_| order.take().unwrap()).collect();
        assert!(next.iter().any(|item| Arc::ptr_eq(&item.job, &short)));
    }

    #[test]
    fn what_is_given_back_comes_again_in_the_same_order() {
        let all = |back: usize| {
            let mut order = FairOrder::default();
            order.push(1, &job(&[10, 5, 7]));
            order.push(2, &job(&[3, 9]));
            let window: Vec<Item> = (0..back).map(|_| order.take().unwrap()).collect();
            window.iter().rev().for_each(|item| order.give_back(item));
            order.tidy();
            taken(&mut order)
        };
        assert_eq!(all(5), all(0));
        assert_eq!(all(3), all(0));
    }

    #[test]
    fn removing_a_request_leaves_the_others() {
        let mut order = FairOrder::default();
        let (gone, stays) = (job(&[10, 20, 30]), job(&[5]));
        order.push(1, &gone);
        order.push(1, &stays);
        order.take();
        assert_eq!(order.remove(&gone), Removed { rows: 2, tokens: 50 });
        assert_eq!(order.remove(&gone), Removed::default());
        assert_eq!(taken(&mut order), [(1, 0)]);
    }
}
