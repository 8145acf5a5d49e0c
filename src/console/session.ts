import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { ConsoleSession } from '../protocol/console-session.ts'
import type { AdminScope } from '../protocol/own-resources.ts'

const NOBODY: ConsoleSession = { client_id: '', acting_owner: '', scope: [], expires_at: '' }

/** Who is signed in. */
export const SessionContext = createContext<ConsoleSession>(NOBODY)

export function useSession(): ConsoleSession {
  return useContext(SessionContext)
}

export function useHolds(scope: AdminScope): boolean {
  return useSession().scope.includes(scope)
}

/** Says what an act did, where a screen reader hears it; lasts until the next page. */
export const TellContext = createContext<(text: string) => void>(() => {})

export function useTell(): (text: string) => void {
  return useContext(TellContext)
}
