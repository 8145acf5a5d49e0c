import type { AgentComponents } from '../../protocol/agent.ts'
import type { ChecksumComponents } from '../../protocol/checksum.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from '../../protocol/json.ts'
import type { Context } from '../context.ts'
import { findSealedComponents } from '../store/registrations.ts'

/** The parsed components as the checksum takes them. */
export function checksumComponents(components: AgentComponents): ChecksumComponents {
  const { agent_id, prompt_template, tools, configuration } = components
  return {
    agent_id,
    prompt_template,
    tools: tools.map(({ name, description, parameters, source_digest }) => ({
      name,
      description,
      parameters: jsonObject(parameters),
      ...(source_digest !== undefined && { source_digest }),
    })),
    configuration: jsonObject(configuration),
  }
}

/** Seals the canonical text of a version to its row: prompts and tools are nowhere in the clear at rest. */
export function sealComponents(ctx: Context, registration_id: string, canonical: string): Buffer {
  return ctx.sealer.seal(Buffer.from(canonical, 'utf8'), placeOf(registration_id))
}

/** The components of a version, undefined where there is no such version. Throws where the sealed value was changed. */
export async function openComponents(ctx: Context, registration_id: string): Promise<unknown> {
  const sealed = await findSealedComponents(ctx, registration_id)
  return sealed && parseStrictJson(ctx.sealer.open(sealed, placeOf(registration_id)), { maxDepth: 64 })
}

function placeOf(registration_id: string) {
  return { table: 'registration', row: registration_id, column: 'components_sealed' }
}

function jsonObject(value: unknown): JsonObject {
  if (isJsonObject(value)) return value
  throw new OAuthError('invalid_request', 'The agent components are malformed.', { reason: 'malformed_components' })
}
