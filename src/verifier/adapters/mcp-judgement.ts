import { OAuthError } from '../../protocol/errors.ts'
import { canonicalJson } from '../../protocol/jcs.ts'
import type { JsonValue } from '../../protocol/json.ts'
import type { RouteRule } from '../route-rule.ts'
import type { Verified } from '../verify.ts'
import { calledTool, readMessages } from './mcp-messages.ts'
import type { Judgement } from './resource-guard.ts'

export type McpRules = {
  /**
   * Who may call which tool. A tool without a rule refuses everybody. `approval: 'json-body'` compares the tool's
   * `arguments` with what was approved, not the JSON-RPC message around them.
   */
  readonly rules: Readonly<Record<string, RouteRule>>
  /** For everything else: initialize, tools/list, ping, resources, prompts, the event stream. */
  readonly otherwise: RouteRule
}

export type McpJudgement = {
  readonly judgement: Judgement
  readonly asked: () => RouteRule
  /** The JSON that was judged; undefined for a request without a body. */
  readonly body: () => JsonValue | undefined
}

/**
 * One request to an MCP server: its token and its proof are judged once, since a proof counts once, and then each of its
 * messages by the rule that it falls under. Nothing of it passes where one message does not.
 */
export function mcpJudgement({ rules, otherwise }: McpRules): McpJudgement {
  let asked = otherwise
  let body: JsonValue | undefined

  const judgement: Judgement = async (presented, verifier) => {
    const caller = await verifier.verify(presented)
    const bytes = await presented.body()
    // What a POST says stands in its body alone: an empty one is JSON that nobody can read.
    if (bytes.byteLength === 0 && presented.method !== 'POST') return await verifier.check(caller, otherwise, presented)
    presented.checkJson()
    const { value, messages } = readMessages(bytes)
    let verified: Verified = caller
    for (const message of messages) {
      const tool = calledTool(message)
      asked = tool === undefined ? otherwise : ruleOf(rules, tool.name)
      const judged = tool === undefined ? bytes : Buffer.from(canonicalJson(tool.args))
      verified = await verifier.check(verified, asked, { ...presented, body: () => judged })
    }
    body = value
    return verified
  }
  return { judgement, asked: () => asked, body: () => body }
}

function ruleOf(rules: McpRules['rules'], name: string): RouteRule {
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
  if (rule === undefined) {
    throw new OAuthError('intent_denied', 'No rule lets anybody call this tool.', { reason: 'tool_without_rule' })
  }
  return rule
}
