/**
 * The second act: a person of another company's identity provider asks for a repair. A supervisor hands it to a planner
 * and, side by side, to a tester who makes the fault happen again; the planner hands it on to a patcher. The patch waits
 * for both, and for somebody else's approval. Nothing of it is on the caller's word.
 */
export const PATCH_APP = 'patch-app'
/** The client at which approvers sign in. */
export const DESK = 'approval-desk'
export const PATCH_WORKFLOW = 'auto-patch'

export const PATCH_CAST = [
  { agent_id: 'supervisor', prompt: 'You take a report of a fault and decide who looks at it. You change nothing.' },
  { agent_id: 'planner', prompt: 'You find the cause in the code and write down which change repairs it.' },
  { agent_id: 'tester', prompt: 'You make the fault happen, and after the patch you see that it is gone.' },
  { agent_id: 'patcher', prompt: 'You apply the change that was planned and approved, and nothing else.' },
] as const
export type PatchAgent = (typeof PATCH_CAST)[number]['agent_id']

/** Two branches, a join at the gate, and a step that is open at the end. */
export const PATCH_STEPS = [
  { step_id: 'triage', agent_id: 'supervisor', required: true, scope: 'repo:read' },
  { step_id: 'plan', agent_id: 'planner', dependencies: ['triage'], scope: 'repo:read' },
  { step_id: 'reproduce', agent_id: 'tester', dependencies: ['triage'], scope: 'repo:read' },
  { step_id: 'review', approval_gate: true, required: true, dependencies: ['plan', 'reproduce'] },
  {
    ...{ step_id: 'patch', agent_id: 'patcher', dependencies: ['review'], scope: 'repo:write' },
    ...{ requires_approval: true, reversible: false },
  },
  { step_id: 'verify', agent_id: 'tester', dependencies: ['patch'], scope: 'repo:read' },
] as const

/** What the patcher asks to do: what an approver reads is what the API gets, or it refuses. */
export const CHANGE = { repository: 'shop', file: 'src/price.ts', line: 41, from: '<', to: '<=' }

/** People at the foreign issuer. Alice asks, Ben approves; both may administer there. */
export const PEOPLE = { alice: { department: 'operations' }, ben: { department: 'operations' } }
export const FOREIGN_CLIENT = 'remit-demo'
