// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a stream sends: frames, encoded once in the text of Server-Sent Events and shared by everyone who is sent them.
//
// A long poll and a WebSocket send the same frames as JSON, from the views that a Frame keeps into its own text. What
// it says never changes. Threads: the loop's, since the JSON text is made when it is first asked for.

#include "base/ids.hpp"
#include "base/time.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace freshet::streams {

/// Where a stream stands: all of the tenant's ledger up to `seq` was sent on it, and all that it is told of the ledger
/// of shared sources up to `shared`. Both 0 always resets.
struct Cursor {
    std::uint64_t epoch = 0;
    Seq seq = 0;
    Seq shared = 0; ///< 0: nothing of that ledger
    friend bool operator==(const Cursor&, const Cursor&) = default;
};

/// "epoch:seq", both in decimal; of a stream that reads shared sources, too, "epoch:seq.shared".
std::string to_text(Cursor cursor);
/// nullopt for anything that to_text() does not print.
std::optional<Cursor> parse_cursor(std::string_view text);

class Frame {
public:
    /// @param id    empty: the frame has none, and the reader keeps the id it has.
    /// @param data  one JSON value. Its line breaks become spaces: in JSON they stand between tokens only.
    /// @param retry how long the reader is asked to wait before it comes again; 0: nothing is said.
    Frame(std::string_view event, std::string_view id, std::string_view data, Millis retry = Millis{0});

    const std::shared_ptr<const std::string>& text() const { return text_; }
    /// The frame as one JSON text: event, id, data.
    const std::shared_ptr<const std::string>& message() const;
    std::string_view event() const { return view(event_at_, event_bytes_); }
    std::string_view id() const { return view(id_at_, id_bytes_); }
    std::string_view data() const { return view(data_at_, data_bytes_); }

private:
    std::string_view view(std::size_t at, std::size_t bytes) const
    {
        return std::string_view{*text_}.substr(at, bytes);
    }

    std::shared_ptr<const std::string> text_;
    mutable std::shared_ptr<const std::string> message_;
    std::size_t event_at_ = 0, event_bytes_ = 0, id_at_ = 0, id_bytes_ = 0, data_at_ = 0, data_bytes_ = 0;
};

using FramePtr = std::shared_ptr<const Frame>;

/// One thing to tell, before it is known who gets it with an id and who without: encoded at most once for each.
/// Threads: the loop's.
class Message {
public:
    /// @param keep  owns the bytes of `data`, which are not copied until they are encoded.
    Message(std::string_view event, std::string topic, Cursor id, std::string_view data,
            std::shared_ptr<const void> keep)
        : event_{event}, topic_{std::move(topic)}, id_{id}, data_{data}, keep_{std::move(keep)}
    {
    }

    const FramePtr& frame(bool with_id) const;
    /// With the id of a stream that reads two ledgers; the last such frame is kept, for streams stand alike.
    const FramePtr& frame_as(Cursor id) const;
    /// The same with a member `missed`, and without `diff`, whose base the reader does not have.
    /// @param id  empty: none
    FramePtr conflated(std::string_view id, std::uint64_t missed) const;

    /// The same without a member; made anew with each call.
    std::shared_ptr<const Message> without(std::string_view member) const;

    const std::string& topic() const { return topic_; }
    /// Of its ledger alone: `seq` or `shared` is 0.
    Cursor id() const { return id_; }
    /// Its place in the ledger that it is of.
    Seq seq() const { return is_shared() ? id_.shared : id_.seq; }
    bool is_shared() const { return id_.shared > 0; }
    std::size_t bytes() const { return data_.size() + topic_.size() + 64; }

private:
    std::string event_, topic_;
    Cursor id_;
    std::string_view data_;
    std::shared_ptr<const void> keep_;
    mutable FramePtr with_id_, without_id_, with_both_;
};

using MessagePtr = std::shared_ptr<const Message>;

/// A message that owns its data.
MessagePtr make_message(std::string_view event, std::string topic, Cursor id, std::string data);

} // namespace freshet::streams
