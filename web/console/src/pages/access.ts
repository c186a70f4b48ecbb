// SPDX-License-Identifier: Apache-2.0
// Who reads, what they may, and for an admin the tokens there are. A token is shown once, in the answer that makes it.
import type { Page as ListPage, Token } from "@freshet/client";
import { can, chooseTenant, chosenTenant, client, me, whoAmI } from "../api.js";
import { Page, Read } from "../controllers.js";
import { ago, action, ask, card, cli, confirm, copy, curl, facts, head, html, ltr, nothing, own, problemBox, readAt, say, t, table, tw, until, type Col } from "../ui.js";

const roles = ["viewer", "operator", "worker", "admin"] as const;

export class AccessPage extends Page {
  private readonly tokens = new Read<ListPage<Token>>(this);
  override connectedCallback(): void {
    super.connectedCallback();
    this.read();
  }
  private read = (): void => {
    if (can("administer")) void this.tokens.from(() => client.ask("GET", "v1/tokens", { query: { limit: 500 } }));
  };
  protected override render() {
    const how = me?.session ? t("byCookie") : me?.name === "local" ? t("byLoopback") : "";
    return html`
      ${head(t("access"), { copy: [cli("token", "list"), curl(can("administer") ? "v1/tokens" : "v1/me")], actions: can("administer") ? action(t("newToken"), () => this.make(), "primary") : nothing })}
      ${card(t("you"), facts([
        [t("name"), html`${own(me?.name)} <span class="soft">${how}</span>`],
        [t("role"), tw("role", me?.role)],
        [t("tenant"), html`${own(me?.tenant)} ${chosenTenant() ? action(t("otherTenant"), () => (chooseTenant(undefined), whoAmI()), "small") : nothing}`],
        [t("rights"), me?.rights.map((right, i) => html`${i ? ", " : nothing}${tw("right", right)}`)],
        [t("expires"), me?.expires_at ? until(me.expires_at) : undefined],
      ]))}
      ${can("administer") ? card(t("tokens"), this.tokens.problem ? problemBox(this.tokens.problem, this.read) : this.tokens.value ? table(t("tokens"), this.cols(), this.tokens.value.items, (token) => token.name, t("noTokens")) : nothing, readAt(this.tokens.value?.now, this.read, this.tokens.busy)) : nothing}`;
  }
  private cols(): Col<Token>[] {
    return [
      { head: t("name"), cls: "c-key", cell: (token) => (token.name.includes("~") ? html`<span class="soft">${t("sessionsOf", { name: token.name.split("~")[0]! })}</span> <span class="id small">${ltr(token.name.split("~")[1]!.slice(0, 8))}</span>` : own(token.name)) },
      { head: t("role"), cell: (token) => html`${tw("role", token.role)}${token.role === "viewer" && token.refresh ? html` <span class="soft">${t("mayRefresh")}</span>` : nothing}${token.sources?.length ? html` <span class="soft">${own(token.sources.join(", "))}</span>` : nothing}` },
      { head: t("tenant"), cell: (token) => own(token.tenant) },
      { head: t("madeBy"), cell: (token) => (token.read_only ? html`<span class="soft">${t("inFile")}</span>` : html`${own(token.made_by ?? "")} <span class="soft">${ago(token.made_at)}</span>`) },
      { head: t("expires"), cls: "c-num", cell: (token) => (token.expires_at ? until(token.expires_at) : html`<span class="soft">${t("never")}</span>`) },
      { head: t("actions"), cls: "c-act off-head", cell: (token) => (token.read_only ? nothing : action(t("revoke"), () => this.revoke(token), "danger small", t("revokeTitle", { name: token.name }))) },
    ];
  }
  private async revoke(token: Token): Promise<void> {
    if (!(await confirm(t("revokeTitle", { name: token.name }), t("revokeBody"), t("revoke"), true))) return;
    await client.ask("DELETE", `v1/tokens/${encodeURIComponent(token.name)}`);
    say(t("revoked", { name: token.name }));
    this.read();
  }
  private async make(): Promise<void> {
    const dialog = await ask(t("newToken"), html`
      <label class="stack">${t("tokenName")}<input name="name" required pattern="[a-z0-9_-]{1,64}" dir="ltr" autocomplete="off" spellcheck="false"></label>
      <label class="stack">${t("role")}<select name="role">${roles.map((role) => html`<option value=${role}>${tw("role", role)}</option>`)}</select></label>
      <label><input type="checkbox" name="refresh"> ${t("role.viewer")}: ${t("mayRefresh")}</label>
      <label class="stack">${t("expiresIn")}<input name="expires" placeholder="90d" pattern="[0-9]+(s|m|h|d)" dir="ltr" autocomplete="off"><span class="soft">${t("expiresHint")}</span></label>`, t("newToken"));
    if (!dialog) return;
    const value = (name: string) => dialog.querySelector<HTMLInputElement>(`[name=${name}]`)!;
    const role = value("role").value;
    const made = await client.ask<Token>("POST", "v1/tokens", { body: { name: value("name").value, role, ...(role === "viewer" && value("refresh").checked && { refresh: true }), ...(value("expires").value && { expires_in: value("expires").value }) } });
    this.read();
    await ask(t("tokenMadeTitle", { name: made.name }), html`<p>${t("tokenMade")}</p><pre class="secret" dir="ltr" tabindex="0">${made.token}</pre><p>${action(t("copyIt"), () => copy(made.token!))}</p>`, t("done2"));
  }
}
customElements.define("fc-access", AccessPage);
