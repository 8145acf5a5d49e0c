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
    check: 'The body came with a Content-Encoding, and a parser had undone it before its bytes could be compared.',
    mend: 'Send the body as it is, or let the guard run before the body parser.',
  },
  body_broken_off: {
    check: 'The connection ended before the body did.',
    mend: 'Send the request again with a new proof; look for a proxy that cuts bodies off.',
  },
}
