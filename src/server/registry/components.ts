import {
  type AgentComponents,
  agentComponentsSchema,
  type ReferenceComponents,
  referenceComponentsSchema,
} from '../../protocol/agent.ts'
import type { ComponentsView } from '../../protocol/agent-views.ts'
import { type ChecksumComponents, canonicalComponents } from '../../protocol/checksum.ts'
import { referenceComponents, referenceContent } from '../../protocol/checksum-reference.ts'
import { sha256, sha256Hex } from '../../protocol/digest.ts'
import { OAuthError } from '../../protocol/errors.ts'
import { parseExactJsonText } from '../../protocol/exact-json.ts'
import { canonicalJson } from '../../protocol/jcs.ts'
import { decodeUtf8, isJsonObject, type JsonObject, parseStrictJsonText } from '../../protocol/json.ts'
import { visibleName, visibleText } from '../../protocol/visible-text.ts'
import type { Context } from '../context.ts'
import { findSealedComponents } from '../store/registrations.ts'
import { readableJson } from './readable-json.ts'
import { bytesOf, visibleWithin } from './visible-within.ts'

/** The parts of a version of either profile; numbers of profile `reference` know their literals. */
export type StoredComponents = AgentComponents | ReferenceComponents
export type ProfiledComponents =
  | { readonly checksum_profile: 'jcs'; readonly agent_components: AgentComponents }
  | { readonly checksum_profile: 'reference'; readonly agent_components: ReferenceComponents }

/** What is kept of components: the text to seal, their checksum, and the digest of all but the agent's name. */
export type KeptComponents = { readonly text: string; readonly checksum: string; readonly content_digest: Buffer }

/** Defaults are written out in what is sealed, so it is deeper and longer than what was sent. */
const SEALED_LIMITS = { maxDepth: 64, maxMembers: 100_000 }

/**
 * Judges components by their profile (protocol.md section 4). Of profile `reference` they are kept as sent, because its
 * hash covers a normalised prompt, and with the literals of their numbers. Throws `invalid_request`.
 */
export function keepComponents(sent: ProfiledComponents): KeptComponents {
  if (sent.checksum_profile === 'reference') {
    const { agent_components } = sent
    return {
      text: JSON.stringify(agent_components),
      checksum: sha256Hex(referenceComponents(agent_components)),
      content_digest: sha256(referenceContent(agent_components)),
    }
  }
  const { agent_id: _, ...content } = checksumComponents(sent.agent_components)
  const text = canonicalComponents(checksumComponents(sent.agent_components))
  return { text, checksum: sha256Hex(text), content_digest: sha256(canonicalJson(content)) }
}

/** The parsed components as the checksum takes them. */
function checksumComponents(components: AgentComponents): ChecksumComponents {
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

/** Seals the text of a version to its row: prompts and tools are nowhere in the clear at rest. */
export function sealComponents(ctx: Context, registration_id: string, text: string): Buffer {
  return ctx.sealer.seal(Buffer.from(text, 'utf8'), placeOf(registration_id))
}

/** The text that was sealed for a version that exists, to seal it again for another. Throws where it was changed. */
export async function openSealedText(ctx: Context, registration_id: string): Promise<string> {
  const sealed = await findSealedComponents(ctx, registration_id)
  if (!sealed) throw new Error('The version has no components.')
  return unseal(ctx, registration_id, sealed.components_sealed)
}

/** The components of a version, undefined where there is no such version. Throws where the sealed value was changed. */
export async function openComponents(ctx: Context, registration_id: string): Promise<StoredComponents | undefined> {
  const sealed = await findSealedComponents(ctx, registration_id)
  if (!sealed) return undefined
  const text = unseal(ctx, registration_id, sealed.components_sealed)
  return sealed.checksum_profile === 'reference'
    ? referenceComponentsSchema.parse(parseExactJsonText(text, SEALED_LIMITS))
    : agentComponentsSchema.parse(parseStrictJsonText(text, SEALED_LIMITS))
}

/** A view takes about this: indentation and quotes within quotes make more of JSON than was sent. */
const VIEW_BYTES = 1_200_000
const LEAST_JSON_BYTES = 200_000
/** UTF-16 units of a visible name: any name of plain text is shown whole. */
const LONGEST_NAME = 256

/**
 * Components as somebody reads them: hidden characters visible, JSON as indented text. A prompt is shown whole but for
 * `visibleText`'s bound; tools and configuration share what is left, so that the answer is bounded (attacks.md 112).
 */
export function viewComponents({ prompt_template, tools, configuration }: StoredComponents): ComponentsView {
  const prompt = visibleText(prompt_template)
  const visible = visibleWithin(Math.max(LEAST_JSON_BYTES, VIEW_BYTES - bytesOf(prompt)))
  return {
    prompt,
    configuration: visible(readableJson(configuration)),
    tools: tools.map(({ name, description, ...rest }) => ({
      name: visibleName(name, LONGEST_NAME),
      description: visible(description),
      rest: visible(readableJson(rest)),
    })),
  }
}

function unseal(ctx: Context, registration_id: string, sealed: Buffer): string {
  return decodeUtf8(ctx.sealer.open(sealed, placeOf(registration_id)))
}

function placeOf(registration_id: string) {
  return { table: 'registration', row: registration_id, column: 'components_sealed' }
}

function jsonObject(value: unknown): JsonObject {
  if (isJsonObject(value)) return value
  throw new OAuthError('invalid_request', 'The agent components are malformed.', { reason: 'malformed_components' })
}
