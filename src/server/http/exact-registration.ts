import type { AgentRegistration } from '../../protocol/agent.ts'
import { memberAt, parseExactJsonText } from '../../protocol/exact-json.ts'
import { isJsonObject } from '../../protocol/json.ts'
import type { BatchItem } from '../registry/batch-item.ts'
import { AGENT_BATCH_LIMITS } from './strict-body.ts'

/** A registration whose numbers know their literals where its profile hashes them, by the text of its body. */
export function exactRegistration(text: string, body: AgentRegistration): AgentRegistration {
  return isReference(body) ? withLiterals(body, parseExactJsonText(text)) : body
}

/** `exactRegistration` for each of a batch that is in order. */
export function exactBatch(
  text: string,
  items: readonly BatchItem<AgentRegistration>[],
): readonly BatchItem<AgentRegistration>[] {
  if (!items.some(item => 'body' in item && isReference(item.body))) return items
  const exact = parseExactJsonText(text, AGENT_BATCH_LIMITS)
  return items.map((item, at) =>
    'body' in item && isReference(item.body)
      ? { body: withLiterals(item.body, memberAt(exact, ['registration_requests', at])) }
      : item,
  )
}

type OfReference = Extract<AgentRegistration, { checksum_profile: 'reference' }>

function isReference(body: AgentRegistration): body is OfReference {
  return body.checksum_profile === 'reference'
}

/** Only the configuration holds numbers. */
function withLiterals(body: OfReference, exact: unknown): AgentRegistration {
  const sent = memberAt(exact, ['agent_components', 'configuration'])
  const configuration = isJsonObject(sent) ? sent : {}
  return { ...body, agent_components: { ...body.agent_components, configuration } }
}
