// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whose a key is. A source with `shared = true` has one copy for all tenants that list it: its keys, versions, jobs and
// events belong to a tenant of their own, so that nothing else in the server has to know of sharing (F9).
//
// Always holds: whoever turns a tenant and a source into the tenant of a key does it by key_tenant(). Any thread.

#include "model/definition.hpp"

#include <algorithm>
#include <string_view>

namespace freshet {

/// The tenant that shared sources have. No tenant of a config can be named so, and no token speaks for it but one of
/// all tenants that names it.
inline constexpr std::string_view shared_tenant = "*shared";

/// One copy for all. With a single tenant, the default one, there is nothing to share, and its keys stay where they
/// are.
inline bool is_shared(const Definitions& definitions, const SourceDefinition& source)
{
    return source.shared && !definitions.tenants.empty();
}

inline bool any_shared(const Definitions& definitions)
{
    return std::ranges::any_of(definitions.sources,
                               [&](const auto& named) { return is_shared(definitions, *named.second); });
}

/// The tenant is one of the config, and something is done for it. What belonged to one that left rests.
inline bool is_tenant(const Definitions& definitions, std::string_view tenant)
{
    if (tenant == shared_tenant) return any_shared(definitions);
    return definitions.tenants.empty() ? tenant == "default" : definitions.tenants.contains(tenant);
}

/// The tenant may read the source: it lists it, or lists none. The tenant of shared sources has these and no other.
inline bool tenant_has_source(const Definitions& definitions, std::string_view tenant, std::string_view source)
{
    if (tenant == shared_tenant) {
        const SourceDefinition* of = definitions.source(source);
        return of != nullptr && is_shared(definitions, *of);
    }
    const auto found = definitions.tenants.find(tenant);
    if (found == definitions.tenants.end()) return is_tenant(definitions, tenant);
    const auto& sources = found->second.sources;
    return sources.empty() || std::ranges::find(sources, source) != sources.end();
}

/// The tenant whose keys those of the source are, for one who speaks for `tenant`. Says nothing of who may read it.
inline std::string_view key_tenant(const Definitions& definitions, std::string_view tenant, std::string_view source)
{
    const SourceDefinition* of = definitions.source(source);
    return of != nullptr && is_shared(definitions, *of) ? shared_tenant : tenant;
}

/// The source of a key that is this tenant's; null where its keys are kept elsewhere by now, or by nobody: the source
/// or the tenant left the config, or the tenant lists it no longer. Such a key rests, and is dropped in time.
inline const SourceDefinition* source_within(const Definitions& definitions, std::string_view tenant,
                                             std::string_view source)
{
    const SourceDefinition* of = definitions.source(source);
    const bool kept_here = of != nullptr && is_shared(definitions, *of) == (tenant == shared_tenant);
    return kept_here && tenant_has_source(definitions, tenant, source) ? of : nullptr;
}

/// Whether there is a shared source that the tenant lists.
inline bool lists_shared(const Definitions& definitions, std::string_view tenant)
{
    return std::ranges::any_of(definitions.sources, [&](const auto& named) {
        return is_shared(definitions, *named.second) && tenant_has_source(definitions, tenant, named.first);
    });
}

/// What `tenant` may see of the tenant of shared sources: the job of a refresh of one that it lists.
inline bool sees_shared(const Definitions& definitions, std::string_view tenant, std::string_view key)
{
    if (key.empty()) return false;
    const std::string_view source = key.substr(0, key.find('/'));
    return source_within(definitions, shared_tenant, source) != nullptr &&
           tenant_has_source(definitions, tenant, source);
}

} // namespace freshet
