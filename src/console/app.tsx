import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { ConsoleSession } from '../protocol/console-session.ts'
import { AgentPage } from './agent.tsx'
import { AgentsPage } from './agents.tsx'
import { ApprovalPage } from './approval.tsx'
import { ApprovalsPage } from './approvals.tsx'
import { ClientPage } from './client.tsx'
import { ClientsPage } from './clients.tsx'
import { DecisionsPage } from './decisions.tsx'
import { ExecutionPage } from './execution.tsx'
import { ExecutionsPage } from './executions.tsx'
import { ExplanationPage } from './explanation.tsx'
import { Header } from './header.tsx'
import { RevocationsPage } from './revocations.tsx'
import { type Route, readRoute } from './route.ts'
import { SessionContext, TellContext } from './session.ts'
import { SignIn } from './sign-in.tsx'
import { useRoute } from './use-route.ts'
import { useSignIn } from './use-session.ts'
import { WorkflowPage } from './workflow.tsx'
import { WorkflowsPage } from './workflows.tsx'

export function App() {
  const { session, failed, over, leave } = useSignIn()
  if (session === undefined) return <p class="quiet loading first">Looking who is signed in…</p>
  if (session === null) return <SignIn failed={failed} over={over} />
  return (
    <SessionContext.Provider value={session}>
      <Rooms session={session} leave={leave} />
    </SessionContext.Provider>
  )
}

/** What an act did, and the place where it is told. */
const NOTHING = { text: '', place: '' }

function placeNow(): string {
  return readRoute(location.hash).path.join('/')
}

function Rooms({ session, leave }: { session: ConsoleSession; leave: () => void }) {
  const route = useRoute()
  const [room = 'agents'] = route.path
  const main = useRef<HTMLElement>(null)
  const [said, setSaid] = useState(NOTHING)
  const place = route.path.join('/')
  const first = useRef(true)
  // Another place, whatever its filters, begins anew
  useEffect(() => {
    // An act that leads elsewhere is told there.
    const isTold = said.text !== '' && said.place === place
    if (!isTold) setSaid(NOTHING)
    document.title = `${
      route.path
        .map(part => part)
        .reverse()
        .join(' · ') || 'agents'
    } · Remit console`
    // A new page is read from its beginning, by eyes and by screen readers.
    if (!first.current && !isTold) main.current?.focus({ preventScroll: true })
    if (!first.current) scrollTo(0, 0)
    first.current = false
  }, [place])
  return (
    <TellContext.Provider value={useCallback(text => setSaid({ text, place: placeNow() }), [])}>
      <button type="button" class="skip-link" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header session={session} room={room === 'explain' ? 'decisions' : room} onLeave={leave} />
      <main id="main" ref={main} tabIndex={-1}>
        <Said text={said.text} onClose={useCallback(() => setSaid(NOTHING), [])} />
        <Page route={route} />
      </main>
    </TellContext.Provider>
  )
}

/** What an act did: heard, seen, and where the keyboard is when the button that began it is gone. */
function Said({ text, onClose }: { text: string; onClose: () => void }) {
  const note = useRef<HTMLParagraphElement>(null)
  useEffect(() => {
    if (text !== '') note.current?.focus()
  }, [text])
  return (
    <div class="telling" role="status" aria-live="polite">
      {text !== '' && (
        <p ref={note} class="note good said" tabIndex={-1}>
          <span>{text}</span>
          <button type="button" class="small" onClick={onClose}>
            Close
          </button>
        </p>
      )}
    </div>
  )
}

function Page({ route: { path, search } }: { route: Route }) {
  const [room = 'agents', first, second, third] = path
  switch (room) {
    case 'agents':
      if (first === undefined || second === undefined) return <AgentsPage search={search} />
      return (
        <AgentPage
          client_id={first}
          agent_id={second}
          registration_id={third ?? ''}
          against={search.get('against') ?? ''}
        />
      )
    case 'approvals':
      return first === undefined ? <ApprovalsPage search={search} /> : <ApprovalPage approval_id={first} />
    case 'executions':
      return first === undefined ? <ExecutionsPage search={search} /> : <ExecutionPage execution_id={first} />
    case 'decisions':
      return <DecisionsPage search={search} />
    case 'explain':
      return <ExplanationPage id={first ?? ''} search={search} />
    case 'workflows':
      if (first === undefined || second === undefined) return <WorkflowsPage search={search} />
      return <WorkflowPage client_id={first} workflow_id={second} version={Number(third ?? 0) || 0} />
    case 'clients':
      return first === undefined ? <ClientsPage /> : <ClientPage client_id={first} />
    case 'revocations':
      return <RevocationsPage />
    default:
      return <h1>There is nothing here.</h1>
  }
}
