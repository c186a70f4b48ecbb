// SPDX-License-Identifier: Apache-2.0
#pragma once
// The fields of a row as few bytes: how packed_job and packed_batch write and read theirs. Seen by packed_job.cpp
// alone.
//
// Form: one byte of version, a mask that says which fields differ from their plain value (field n is bit n, in the
// order in which they are visited), then those fields, then 4 bytes of checksum over all before. Numbers are varints
// (signed ones zigzag), texts have their length before them, times are milliseconds since the first one. These bytes
// are stored and therefore never change: a new field is visited last, enumerators keep their numbers. Reading trusts
// nothing: a wrong checksum, a length that does not fit, a word that is not known or bytes left over make a
// StoreFailure.

#include "base/hash.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace freshet::packed {

inline constexpr unsigned char version = 1;
inline constexpr std::size_t checksum_bytes = 4;

constexpr auto last_of(JobState)
{
    return JobState::cancelled;
}
constexpr auto last_of(JobKind)
{
    return JobKind::item;
}
constexpr auto last_of(Trigger)
{
    return Trigger::cold;
}
constexpr auto last_of(Outcome)
{
    return Outcome::held;
}
constexpr auto last_of(ErrorClass)
{
    return ErrorClass::cancelled;
}
constexpr auto last_of(UniqueScope)
{
    return UniqueScope::debounce;
}
constexpr auto last_of(UniqueConflict)
{
    return UniqueConflict::reject;
}
constexpr auto last_of(BatchState)
{
    return BatchState::aborted;
}
constexpr auto last_of(BatchDriver)
{
    return BatchDriver::caller;
}
constexpr auto last_of(FailureRule)
{
    return FailureRule::threshold;
}
constexpr auto last_of(FollowUp::Start)
{
    return FollowUp::Start::person;
}
constexpr auto last_of(FollowUp::State)
{
    return FollowUp::State::dropped;
}

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

// What a value is made of.

template <class Visit, class E>
    requires std::is_same_v<std::remove_const_t<E>, ErrorInfo>
void visit_parts(Visit&& visit, E& e)
{
    visit(e.error_class, e.code, e.message);
}
template <class Visit, class U>
    requires std::is_same_v<std::remove_const_t<U>, UniqueTerms>
void visit_parts(Visit&& visit, U& u)
{
    visit(u.key, u.scope, u.on_conflict, u.ttl, u.quiet, u.most);
}
template <class Visit, class L>
    requires std::is_same_v<std::remove_const_t<L>, LateResult>
void visit_parts(Visit&& visit, L& l)
{
    visit(l.fence, l.worker, l.result, l.at);
}
template <class Visit, class P>
    requires std::is_same_v<std::remove_const_t<P>, Progress>
void visit_parts(Visit&& visit, P& p)
{
    visit(p.attempt, p.phase, p.phase_index, p.phases, p.done, p.total, p.unit, p.message);
}
template <class Visit, class C>
    requires std::is_same_v<std::remove_const_t<C>, BatchCounts>
void visit_parts(Visit&& visit, C& c)
{
    visit(c.total, c.queued, c.running, c.succeeded, c.failed, c.cancelled);
}
template <class Visit, class P>
    requires std::is_same_v<std::remove_const_t<P>, FailurePolicy>
void visit_parts(Visit&& visit, P& p)
{
    visit(p.rule, p.failures, p.percent);
}
template <class Visit, class E>
    requires std::is_same_v<std::remove_const_t<E>, BatchError>
void visit_parts(Visit&& visit, E& e)
{
    visit(e.code, e.message, e.count);
}
/// Its long texts, which never change, lie apart (put_batch()).
template <class Visit, class F>
    requires std::is_same_v<std::remove_const_t<F>, FollowUp>
void visit_parts(Visit&& visit, F& f)
{
    visit(f.label, f.start, f.queue, f.per_succeeded, f.state, f.batch, f.job);
}

class Writer {
public:
    /// Writes what `fields` visits, each with its plain value.
    template <class Fields>
    std::string write(Fields&& fields)
    {
        fields(*this);
        std::string row;
        row.reserve(bytes_.size() + 16);
        row.push_back(static_cast<char>(version));
        put_varint(row, mask_);
        row += bytes_;
        const std::uint64_t sum = hash64(row);
        for (std::size_t i = 0; i < checksum_bytes; ++i) row.push_back(static_cast<char>(sum >> 8 * i & 0xff));
        return row;
    }

    template <class T>
    void field(const T& value, const T& plain)
    {
        if (!(value == plain)) {
            mask_ |= std::uint64_t{1} << number_;
            if constexpr (is_optional<T>)
                put(*value); // the mask says that it is there
            else
                put(value);
        }
        ++number_;
    }
    template <class... Fields>
    void fields(const Fields&... values)
    {
        (field(values, Fields{}), ...);
    }

private:
    template <class... Parts>
    void parts(const Parts&... values)
    {
        (put(values), ...);
    }
    static void put_varint(std::string& into, std::uint64_t value)
    {
        for (; value >= 0x80; value >>= 7) into.push_back(static_cast<char>(value | 0x80));
        into.push_back(static_cast<char>(value));
    }
    template <class T>
    void put(const T& value)
    {
        if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>)
            put_varint(bytes_, static_cast<std::uint64_t>(value));
        else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>)
            put_varint(bytes_, value);
        else if constexpr (std::is_integral_v<T>)
            put_varint(bytes_, zigzag(value));
        else
            visit_parts([this](const auto&... values) { parts(values...); }, value);
    }
    static std::uint64_t zigzag(std::int64_t value)
    {
        return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
    }
    void put(const std::string& text)
    {
        put_varint(bytes_, text.size());
        bytes_ += text;
    }
    void put(const WallTime& at)
    {
        // Wraps like the reader's sum, so that any time survives.
        const auto ms = static_cast<std::uint64_t>(to_ms(at));
        put(static_cast<std::int64_t>(ms - base_));
        if (base_ == 0) base_ = ms;
    }
    void put(const Millis& length) { put(std::int64_t{length.count()}); }
    void put(const JobId& id) { put(id.value); }
    void put(const BatchId& id) { put(id.value); }
    template <class T>
    void put(const std::optional<T>& value)
    {
        put(value.has_value());
        if (value) put(*value);
    }
    template <class T>
    void put(const std::vector<T>& values)
    {
        put_varint(bytes_, values.size());
        for (const T& value : values) put(value);
    }

    std::string bytes_;
    std::uint64_t mask_ = 0, base_ = 0;
    int number_ = 0;
};

class Reader {
public:
    /// @param name  names the row in a StoreFailure, from its `id`: "job j_..."
    Reader(std::string_view row, std::string (*name)(std::int64_t), std::int64_t id) : left_{row}, name_{name}, id_{id}
    {
    }

    template <class Fields>
    void read(Fields&& fields)
    {
        if (left_.size() <= checksum_bytes) broken();
        const std::string_view summed = left_.substr(0, left_.size() - checksum_bytes);
        const std::uint64_t sum = hash64(summed);
        for (std::size_t i = 0; i < checksum_bytes; ++i)
            if (static_cast<unsigned char>(left_[summed.size() + i]) != (sum >> 8 * i & 0xff)) broken();
        left_ = summed;
        const unsigned char written_by = take_byte();
        mask_ = take_varint();
        if (written_by != version) unknown();
        fields(*this);
        if (number_ < 64 && mask_ >> number_ != 0) unknown();
        if (!left_.empty()) broken();
    }

    template <class T>
    void field(T& value, const T& plain)
    {
        if ((mask_ >> number_ & 1) == 0)
            value = plain;
        else if constexpr (is_optional<T>)
            get(value.emplace());
        else
            get(value);
        ++number_;
    }
    template <class... Fields>
    void fields(Fields&... values)
    {
        (field(values, Fields{}), ...);
    }

private:
    [[noreturn]] void broken() const
    {
        throw StoreFailure{"the row of " + name_(id_) +
                           " cannot be read: its bytes are damaged. Restore the data directory from a backup."};
    }
    [[noreturn]] void unknown() const
    {
        throw StoreFailure{"the row of " + name_(id_) +
                           " holds what this freshet does not know: run the freshet that wrote it, or restore the data "
                           "directory from a backup."};
    }
    template <class... Parts>
    void parts(Parts&... values)
    {
        (get(values), ...);
    }
    unsigned char take_byte()
    {
        if (left_.empty()) broken();
        const auto byte = static_cast<unsigned char>(left_.front());
        left_.remove_prefix(1);
        return byte;
    }
    std::uint64_t take_varint()
    {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const unsigned char byte = take_byte();
            value |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80) return value;
        }
        broken();
    }
    template <class T>
    void get(T& value)
    {
        if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
            const std::uint64_t stored = take_varint();
            if constexpr (std::is_same_v<T, bool>) {
                if (stored > 1) broken();
            } else {
                if (stored > static_cast<std::uint64_t>(last_of(T{}))) unknown();
            }
            value = static_cast<T>(stored);
        } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
            value = take_varint();
        } else if constexpr (std::is_integral_v<T>) {
            const std::uint64_t stored = take_varint();
            const auto number = static_cast<std::int64_t>(stored >> 1 ^ (~(stored & 1) + 1));
            if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max()) broken();
            value = static_cast<T>(number);
        } else {
            visit_parts([this](auto&... values) { parts(values...); }, value);
        }
    }
    void get(std::string& text)
    {
        const std::uint64_t length = take_varint();
        if (length > left_.size()) broken();
        text = left_.substr(0, length);
        left_.remove_prefix(length);
    }
    void get(WallTime& at)
    {
        std::int64_t since = 0;
        get(since);
        const std::uint64_t ms = base_ + static_cast<std::uint64_t>(since);
        if (base_ == 0) base_ = ms;
        at = from_ms(static_cast<std::int64_t>(ms));
    }
    void get(Millis& length)
    {
        std::int64_t ms = 0;
        get(ms);
        length = Millis{ms};
    }
    void get(JobId& id) { get(id.value); }
    void get(BatchId& id) { get(id.value); }
    template <class T>
    void get(std::optional<T>& value)
    {
        bool there = false;
        get(there);
        if (there)
            get(value.emplace());
        else
            value.reset();
    }
    template <class T>
    void get(std::vector<T>& values)
    {
        const std::uint64_t count = take_varint();
        if (count > left_.size()) broken();
        values.clear();
        for (std::uint64_t i = 0; i < count; ++i) get(values.emplace_back());
    }

    std::string_view left_;
    std::string (*name_)(std::int64_t);
    std::int64_t id_;
    std::uint64_t mask_ = 0, base_ = 0;
    int number_ = 0;
};

} // namespace freshet::packed
