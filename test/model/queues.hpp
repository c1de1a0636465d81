// SPDX-License-Identifier: Apache-2.0
// Queues: who pushes under one lock, who takes under another. Each message is done with by one taker, once; what a dead one held
// is taken again. What src/data/queue.cpp does around the words is told again here, as shortly as it goes.
#pragma once

#include "rings.hpp"
#include "sync/queue_words.hpp"

namespace comap::model {

using internal::Queued;

//   plain     two push; three take and confirm, give back, or take for good
//   confirm   nobody takes for good
//   for_good  everybody does
template <typename M>
class QueueScenario : public RingSenders<M> {
    using Base = RingSenders<M>;
    using Base::ring_;
    using Base::simulation_;
    using Base::view_;
    using typename Base::Out;
    using typename Base::Words;

  public:
    enum Variant { plain, confirm, for_good };

    explicit QueueScenario(Variant variant) : Base(true, 16, &Words::first_not_freed), variant_(variant) {
        words_.ring = &ring_.words;
        for (int i = 0; i < 2; ++i) this->add_sender([this](int me) { push_all(me); });
        for (std::uint32_t i = 0; i < kTakersHere; ++i) this->add([this](int me) { take_all(me); });
    }

    void at_end() override {
        const std::uint64_t total = ring_.total();
        for (int i = 0; i < 2; ++i)
            if (simulation_.state(i) == State::asleep) simulation_.fail("pusher %d does not come to its end", i);
        for (const auto& [message_number, one] : ring_.said) {
            if (message_number >= total) continue;
            const Known& known = known_[message_number];
            const bool may_be_done = known.is_ending && !simulation_.is_alive(known.by);
            if (!known.is_done && !may_be_done) simulation_.fail("message %llu is lost or left", number(message_number));
        }
        const bool ended = words_.for_each([this](const Queued& queued) {
            if (internal::holder_of(queued.word) != internal::kDone) simulation_.fail("a message is left in the queue");
        }, true);
        if (!ended) simulation_.fail("what is in the queue at the end is no message");
        if (ring_.control.freed.peek() > ring_.control.taken.peek()) simulation_.fail("more is free than was taken");
        if (simulation_.deaths() == 0 && ring_.control.counts.peek() != 0) simulation_.fail("there is nothing, and the counts say otherwise");
    }

  private:
    static constexpr int kPushes = 4;
    static constexpr std::uint32_t kTakingsMax = 3;  // then it is not given back any more
    static constexpr std::uint32_t kFindsBetween = 4;
    static constexpr std::chrono::nanoseconds kLookForDead = std::chrono::milliseconds(20);

    // What is known of a message.
    struct Known {
        int by = kNobody;          // who has it
        bool is_ending = false;    // he is about to be done with it: if he dies, it may be or not
        bool is_done = false;
        std::uint32_t takings = 0;   // at most: who died in it may not have taken it
        std::uint32_t finished = 0;  // takings that have returned
    };
    struct Taker {
        int place = kNobody;
        std::uint32_t turn = 0;
        std::uint32_t number() const { return static_cast<std::uint32_t>(place) + 1; }
    };

    void push_all(int me) {
        for (int round = 0; round < kPushes; ++round) this->send(me);
    }

    // --- takers
    void take_all(int me) {
        Taker& taker = takers_at_[at(me)];
        for (;;) {
            const bool takes_for_good = variant_ == for_good || (variant_ == plain && simulation_.random().one_in(3));
            Queued queued;
            std::uint64_t message_number = 0;
            const bool found = on_next(me, [&](const Queued& next) {
                queued = next;
                message_number = number_at(next.position);
                RingMessage message(next.size / 4);
                if (takes_for_good) Words::Memory::copy_out(message.data(), view_().data + view_().place(next.position) + view_().payload_offset, next.size);
                begin_taking(me, message_number, next, takes_for_good);
                if (!takes_for_good) take_place(me, taker);
                words_.take(next, takes_for_good ? internal::kDone : taker.number());
                ++known_[message_number].finished;
                if (!takes_for_good) return;
                ring_.receive(me, message_number, message);
                known_[message_number].is_done = true;
            });
            if (!found) return;
            if (!takes_for_good) use(me, taker, queued, message_number);
        }
    }

    void use(int me, const Taker& taker, const Queued& queued, std::uint64_t message_number) {
        Known& known = known_[message_number];
        for (int round = 0; round < 2; ++round) {
            RingMessage message(queued.size / 4);
            Words::Memory::copy_out(message.data(), view_().data + view_().place(queued.position) + view_().payload_offset, queued.size);
            ring_.receive(me, message_number, message);
        }
        if (known.by != me) simulation_.fail("message %llu was taken from actor %d, who has it", number(message_number), me);
        const bool gives_back = known.takings < kTakingsMax && simulation_.random().one_in(3);
        bool is_other_refused = false;
        bool was_ours = false;
        alone(me, [&] {
            is_other_refused = !words_.confirm(queued.position, taker.number() % kTakersHere + 1);
            if (gives_back) known.by = kNobody;
            else known.is_ending = true;
            was_ours = gives_back ? words_.give_back(queued.position, taker.number()) : words_.confirm(queued.position, taker.number());
        });
        if (!is_other_refused) simulation_.fail("message %llu could be confirmed by another than has it", number(message_number));
        if (!was_ours) simulation_.fail("message %llu is not actor %d's any more", number(message_number), me);
        if (gives_back) wake_takers();
        else known.is_done = true;
    }

    void begin_taking(int me, std::uint64_t message_number, const Queued& queued, bool ends_it) {
        Known& known = known_[message_number];
        if (known.is_done) simulation_.fail("actor %d takes message %llu, which is done", me, number(message_number));
        if (known.by != kNobody && simulation_.is_alive(known.by))
            simulation_.fail("actor %d takes message %llu, which actor %d has", me, number(message_number), known.by);
        const std::uint32_t takings = internal::takings_of(queued.word);
        if (takings < known.finished || takings > known.takings)
            simulation_.fail("message %llu was taken %u times, and says %u", number(message_number), known.finished, takings);
        if (takings == 0) {
            if (message_number < first_not_taken_) simulation_.fail("message %llu comes too late", number(message_number));
            if (known.takings == 0) {
                for (const auto& [earlier, said] : ring_.said)
                    if (earlier < message_number && known_[earlier].takings == 0)
                        simulation_.fail("message %llu comes before message %llu", number(message_number), number(earlier));
            }
            first_not_taken_ = message_number;
        }
        known.by = me;
        known.is_ending = ends_it;
        ++known.takings;
    }

    std::uint64_t number_at(std::uint64_t position) {
        const std::uint32_t low = view_().frame(position).number.peek();
        for (const auto& [message_number, said] : ring_.said)
            if (static_cast<std::uint32_t>(message_number) == low) return message_number;
        simulation_.fail("a message with number %u is found, which nobody pushed", low);
        return 0;
    }

    template <typename Work>
    void alone(int me, const Work& work) {
        const LockWord<M> word = this->word_of(takers_, me);
        const Ended end = this->lock(word);
        takers_.enter(me);
        const std::uint64_t freed = ring_.control.freed.load(std::memory_order_relaxed);
        if (end == Ended::acquired_abandoned && !words_.repair()) simulation_.fail("actor %d cannot repair", me);
        work();
        takers_.leave(me);
        const bool is_more = ring_.control.freed.load(std::memory_order_relaxed) != freed;
        word.give();
        if (is_more) words_.tell_of_room_after_unlocking();
    }

    void take_place(int me, Taker& taker) {
        if (taker.place != kNobody) return;
        simulation_.work();
        const auto free = std::find(this->place_owners_.begin(), this->place_owners_.end(), kNobody);
        if (free == this->place_owners_.end()) simulation_.fail("there is no place for taker %d", me);
        *free = me;
        taker.place = static_cast<int>(free - this->place_owners_.begin());
        const std::uint32_t mine = taker.number() - 1;
        if (!words_.give_back_of_dead([mine](std::uint32_t one) { return one == mine; }))
            simulation_.fail("actor %d finds no messages where they should be", me);
    }

    // As RawQueue's Mapping::find.
    bool find(int me, Queued& queued) {
        const bool is_time = ++takers_at_[at(me)].turn % kFindsBetween == 0;
        Look look = is_time ? Look::nothing : words_.find(queued);
        if (look == Look::nothing && words_.tally().held != 0) {
            const auto is_dead = [&](std::uint32_t one) {
                simulation_.work();
                return one >= kTakersHere || this->place_owners_[one] == kNobody;
            };
            if (!words_.give_back_of_dead(is_dead)) look = Look::strange;
            else if (is_time || words_.tally().returned != 0) look = words_.find(queued);
        } else if (is_time) {
            look = words_.find(queued);
        }
        if (look == Look::strange) simulation_.fail("taker %d finds something that is no message", me);
        return look == Look::message;
    }

    bool prepare(int me, internal::Bed<M>& bed, Deadline& until) {
        this->settle_bell(me);
        const std::uint64_t position = ring_.control.taken.load(std::memory_order_relaxed);
        const auto bedtime = ring_.words.prepare(position, true, [this] { return this->has_sender(); }, bed);
        if (bedtime == Words::Bedtime::look_again) return false;
        if (!words_.is_next(position)) return false;
        const internal::QueueTally tally = words_.tally();
        if (tally.returned != 0) return false;
        until = Deadline::forever();
        if (tally.held != 0) until = Deadline::after(kLookForDead);
        if (bedtime == Words::Bedtime::doze) until = Deadline::after(kRingDoze);
        return true;
    }

    // As Mapping::on_next. False: nothing will come any more.
    template <typename Work>
    bool on_next(int me, const Work& work) {
        for (;;) {
            const bool is_over = are_all_done();
            if (!words_.looks_empty()) {
                bool found = false;
                alone(me, [&] {
                    Queued queued;
                    found = find(me, queued);
                    if (found) work(queued);
                });
                if (found) return true;
            }
            internal::Bed<M> bed;
            Deadline until = Deadline::forever();
            if (!prepare(me, bed, until)) continue;
            if (is_over && !until.is_forever()) return false;
            M::wait(*bed.word, bed.seen, until);
        }
    }

    void wake_takers() {
        const std::uint64_t position = ring_.control.taken.load(std::memory_order_relaxed);
        M::wake(view_().frame(position).state, true);
    }

    // As far as is known by watching: nothing can come any more, so that nobody has to look again and again.
    bool are_all_done() {
        if (!this->are_senders_over()) return false;
        for (const auto& [message_number, said] : ring_.said) {
            const Known& known = known_[message_number];
            if (message_number < ring_.completed && !known.is_done && !(known.is_ending && !simulation_.is_alive(known.by))) return false;
        }
        return true;
    }

    Variant variant_;
    internal::QueueWords<M> words_;
    Lock takers_{"takers"};
    PerActor<Taker> takers_at_{};
    std::map<std::uint64_t, Known> known_;
    std::uint64_t first_not_taken_ = 0;
};

}  // namespace comap::model
