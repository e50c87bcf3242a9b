/** What the page's `RemoteGame` offers; the file itself is the page's. */
export class RemoteGame {
  constructor(config: Record<string, any>);
  config: Record<string, any>;
  pyodide: any;
  micropip: any;
  pyodideReady: boolean;
  state: null | 'ready' | 'done';
  shouldReset: boolean;
  step_num: number;
  num_episodes: number;
  max_episodes: number;
  max_steps: number;
  cumulative_rewards: Record<string, number>;
  observations: unknown;
  sceneId?: string;
  frameNumber?: number;
  setAttributes(config: Record<string, any>): void;
  initialize(): Promise<void>;
  reinitialize_environment(config: Record<string, any>): Promise<void>;
  isDone(): boolean;
  reset(): Promise<unknown[] | null>;
  step(actions: Record<string, unknown>): Promise<unknown[] | null>;
  showEpisodeTransition(message?: string | null): Promise<void>;
  getHUDText(): string;
  /** Only in the page of 0.1.3. */
  setInputTimestamps?(timestamps: unknown): void;
}
