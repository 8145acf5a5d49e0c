import type { ChecksumProfile } from '../../protocol/agent.ts'
import type { Warning } from '../../protocol/agent-views.ts'
import { normalisePrompt } from '../../protocol/prompt-normalisation.ts'
import { shownCharacters } from '../../protocol/visible-text.ts'
import type { Context } from '../context.ts'
import type { AgentName } from '../store/agent-lists.ts'
import { agentsOfContent } from '../store/registrations.ts'
import type { StoredComponents } from './components.ts'
import { type HiddenPlace, hiddenTextPlaces } from './hidden-text.ts'
import { contentInBothProfiles } from './other-profile.ts'

/** Either profile's, also where nobody knows which of the two types it is. */
type JudgedComponents = { readonly checksum_profile: ChecksumProfile; readonly agent_components: StoredComponents }

const MOST_TWINS = 5
const MOST_CHARACTERS = 8

/**
 * What an approver should look at in a version: hidden text and where, what the hash of profile `reference` does not
 * see, and other agents of the client with the same content, by whichever profile it was sent (protocol.md section 4, attacks.md 84, 85).
 */
export async function warningsOf(
  ctx: Context,
  agent: AgentName,
  version: JudgedComponents,
  content_digest: Buffer | null,
): Promise<Warning[]> {
  const digests = [...(content_digest ? [content_digest] : []), ...contentInBothProfiles(version.agent_components)]
  const twins = digests.length === 0 ? [] : await agentsOfContent(ctx, agent, digests, MOST_TWINS)
  return [...hiddenWarnings(version), ...normalisedWarnings(version), ...twins.map(sameContent)]
}

/** Tools go by their names, which are unlike numbers of use to whoever looks for them. */
function hiddenWarnings({ agent_components }: JudgedComponents): Warning[] {
  const { prompt_template, tools, configuration } = agent_components
  const byName = Object.fromEntries(tools.map(({ name, ...rest }) => [name, rest]))
  return [
    ...hiddenTextPlaces(prompt_template, 'prompt_template'),
    ...hiddenTextPlaces(byName, 'tools'),
    ...hiddenTextPlaces(configuration, 'configuration'),
  ].map(hiddenWarning)
}

function hiddenWarning({ where, text, isName }: HiddenPlace): Warning {
  const characters = shownCharacters(text, MOST_CHARACTERS + 1, isName)
  const more = characters.length > MOST_CHARACTERS ? ' and others' : ''
  const detail = `Characters that are not seen, or pass for others: ${characters.slice(0, MOST_CHARACTERS).join(', ')}${more}.`
  return { code: 'hidden-characters', where, detail }
}

function normalisedWarnings({ checksum_profile, agent_components }: JudgedComponents): Warning[] {
  const { prompt_template } = agent_components
  if (checksum_profile !== 'reference' || prompt_template === normalisePrompt(prompt_template)) return []
  const detail = 'The checksum does not see indentation, trailing space and empty lines of this prompt.'
  return [{ code: 'normalised', where: 'prompt_template', detail }]
}

function sameContent(agent_id: string): Warning {
  return { code: 'same-content', where: 'agent_id', detail: `Agent ${agent_id} of this client has the same content.` }
}
