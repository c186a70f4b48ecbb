// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.hpp"

#include <prometheus/text_serializer.h>

namespace freshet {

void Metrics::add(std::weak_ptr<prometheus::Collectable> collectable)
{
    const std::lock_guard lock{mutex_};
    more_.push_back(std::move(collectable));
}

std::string Metrics::text() const
{
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    {
        const std::lock_guard lock{mutex_};
        for (const auto& weak : more_)
            if (const auto collectable = weak.lock())
                for (auto& family : collectable->Collect()) families.push_back(std::move(family));
    }
    return prometheus::TextSerializer{}.Serialize(families);
}

} // namespace freshet
