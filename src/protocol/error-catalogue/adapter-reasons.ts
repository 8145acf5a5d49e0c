import type { ReasonEntry } from '../error-catalogue.ts'

/** What an API's own guard refuses before or beside the verifier: the framework adapters. */
export const ADAPTER_REASONS: Readonly<Record<string, ReasonEntry>> = {
  rule_missing: {
    check: 'The route has no rule, and a route without one lets nobody in.',
    mend: 'Give the route a rule in its config: { intent: {} } takes every valid token, { intent: false } everybody.',
  },
  tool_without_rule: {
    check: 'The called MCP tool has no rule, and a tool without one may be called by nobody.',
    mend: 'Name the tool in the rules of the MCP guard.',
  },
  mcp_message: {
    check: 'The body must be a JSON-RPC message or a batch of 1 to 100, and a tools/call must name its tool.',
    mend: 'Send JSON-RPC 2.0 as the MCP transport does.',
  },
  body_too_large: {
    check: 'A body that a proof or a rule names was measured against the limit of the guard: 1 MiB unless told.',
    mend: 'Send less, or raise maxBodyBytes of the guard.',
  },
  body_encoded: {
    check: 'A body that a proof or a rule names must come without Content-Encoding: no proof covers that header.',
    mend: 'Send the body as it is.',
  },
  body_charset: {
    check: 'A body that a proof or a rule names must come with one Content-Type at most, and its charset be utf-8.',
    mend: 'Send one Content-Type with charset=utf-8, or without a charset.',
  },
  body_no_json_type: {
    check: 'The body of an approved call, or of an MCP message, must come as application/json or another +json type.',
    mend: 'Send the body with Content-Type: application/json.',
  },
  body_broken_off: {
    check: 'The connection ended before the body did.',
    mend: 'Send the request again with a new proof; look for a proxy that cuts bodies off.',
  },
}
