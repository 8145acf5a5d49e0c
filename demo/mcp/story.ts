import type { RouteRule } from '../../src/verifier/route-rule.ts'

/**
 * The third act: three agents, each a process of its own, work on files through a published MCP server that knows nothing
 * of tokens. A gateway in front of it asks for them, tool by tool, and one tool needs a person.
 */
export const NOTES_APP = 'notes-app'
export const NOTES_WORKFLOW = 'release-notes'

export const NOTES_CAST = [
  { agent_id: 'planner', prompt: 'You read the notes of the week and plan the release notes. You write nothing.' },
  { agent_id: 'writer', prompt: 'You write the release notes exactly as they were planned and approved.' },
  { agent_id: 'checker', prompt: 'You read what was written and say whether it is what was planned.' },
] as const
export type NotesAgent = (typeof NOTES_CAST)[number]['agent_id']

export const NOTES_STEPS = [
  { step_id: 'plan', agent_id: 'planner', required: true, scope: 'files:read' },
  { step_id: 'review', approval_gate: true, required: true },
  { step_id: 'write', agent_id: 'writer', requires_approval: true, reversible: false, scope: 'files:write' },
  { step_id: 'check', agent_id: 'checker', dependencies: ['write'], scope: 'files:read' },
] as const

/** What a tool of the MCP server demands. A tool that is not here is for nobody. */
export const TOOL_RULES: Readonly<Record<string, RouteRule>> = {
  list_directory: read(['plan', 'check']),
  read_text_file: read(['plan', 'check']),
  write_file: {
    ...{ client_id: NOTES_APP, workflow_id: NOTES_WORKFLOW, workflow_step: 'write', agent_id: 'writer' },
    ...{ scope: ['files:write'], boundBody: true, approval: 'json-body', proofs: true },
  },
}

function read(workflow_step: readonly string[]): RouteRule {
  return { client_id: NOTES_APP, workflow_id: NOTES_WORKFLOW, workflow_step, scope: ['files:read'], boundBody: true }
}

/** The files that the MCP server has, by name. */
export const NOTES = {
  'monday.md': 'Fixed: the price of one item more than the limit.\n',
  'tuesday.md': 'New: prices in any currency.\n',
  'salaries.md': 'Nobody asked for this.\n',
}
export const RELEASE_NOTES = '# Release notes\n\n- Prices in any currency.\n- The price at the limit is right again.\n'
